<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Accedi';
$_ADDONLANG['login_plain'] = 'Accedi con la password';
$_ADDONLANG['login_button_title'] = 'Ancora un passo';
$_ADDONLANG['login_button'] = 'Premi il pulsante per accedere. Il link vale una sola volta.';
$_ADDONLANG['login_off_title'] = 'Accedi';
$_ADDONLANG['login_off'] = 'Accedi con la tua password.';
$_ADDONLANG['login_unknown_title'] = 'Questo link non funziona';
$_ADDONLANG['login_unknown'] = 'Forse è stato tagliato o modificato lungo il percorso. Aprilo di nuovo dall\'e-mail, oppure accedi con la password.';
$_ADDONLANG['login_expired_title'] = 'Questo link è scaduto';
$_ADDONLANG['login_expired'] = 'I link di accesso valgono per un tempo limitato. Accedi con la password.';
$_ADDONLANG['login_used_title'] = 'Questo link è già stato usato';
$_ADDONLANG['login_used'] = 'Ogni link permette di accedere una sola volta. Accedi con la password.';
$_ADDONLANG['login_revoked_title'] = 'Questo link non è più valido';
$_ADDONLANG['login_revoked'] = 'È stato ritirato. Accedi con la password.';
$_ADDONLANG['login_cookie_title'] = 'Prova ancora una volta';
$_ADDONLANG['login_cookie'] = 'Il browser non ha conservato il cookie di questa pagina, oppure la pagina è vecchia. Apri di nuovo il link dall\'e-mail, oppure accedi con la password.';
$_ADDONLANG['login_closed_title'] = 'Accedi';
$_ADDONLANG['login_closed'] = 'Questo account non può essere aperto con un link.';
$_ADDONLANG['login_factor_title'] = 'Accedi';
$_ADDONLANG['login_factor'] = 'Il tuo account è protetto da un secondo fattore: un link da solo non lo apre.';
$_ADDONLANG['login_password_title'] = 'Questo link non è più valido';
$_ADDONLANG['login_password'] = 'La password è stata cambiata dopo l\'invio dell\'e-mail. Accedi con quella nuova.';
$_ADDONLANG['login_sso_title'] = 'Accedi';
$_ADDONLANG['login_sso'] = 'L\'accesso tramite link è disattivato per questo account.';
$_ADDONLANG['login_away_title'] = 'Accedi';
$_ADDONLANG['login_away'] = 'Al momento il link non può essere verificato. Riprova tra un minuto, oppure accedi con la password.';
