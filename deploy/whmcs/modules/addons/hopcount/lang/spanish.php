<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Iniciar sesión';
$_ADDONLANG['login_plain'] = 'Iniciar sesión con su contraseña';
$_ADDONLANG['login_button_title'] = 'Un paso más';
$_ADDONLANG['login_button'] = 'Pulse el botón para iniciar sesión. El enlace sirve una sola vez.';
$_ADDONLANG['login_off_title'] = 'Iniciar sesión';
$_ADDONLANG['login_off'] = 'Inicie sesión con su contraseña.';
$_ADDONLANG['login_unknown_title'] = 'Este enlace no funciona';
$_ADDONLANG['login_unknown'] = 'Quizá se cortó o cambió por el camino. Ábralo de nuevo desde el correo, o inicie sesión con su contraseña.';
$_ADDONLANG['login_expired_title'] = 'Este enlace ha caducado';
$_ADDONLANG['login_expired'] = 'Los enlaces para iniciar sesión son válidos por un tiempo limitado. Inicie sesión con su contraseña.';
$_ADDONLANG['login_used_title'] = 'Este enlace ya se ha usado';
$_ADDONLANG['login_used'] = 'Cada enlace inicia sesión una sola vez. Inicie sesión con su contraseña.';
$_ADDONLANG['login_revoked_title'] = 'Este enlace ya no es válido';
$_ADDONLANG['login_revoked'] = 'Se ha retirado. Inicie sesión con su contraseña.';
$_ADDONLANG['login_cookie_title'] = 'Inténtelo otra vez';
$_ADDONLANG['login_cookie'] = 'Su navegador no conservó la cookie de esta página, o la página es antigua. Abra de nuevo el enlace desde el correo, o inicie sesión con su contraseña.';
$_ADDONLANG['login_closed_title'] = 'Inicie sesión';
$_ADDONLANG['login_closed'] = 'Esta cuenta no puede abrirse con un enlace.';
$_ADDONLANG['login_factor_title'] = 'Inicie sesión';
$_ADDONLANG['login_factor'] = 'Su cuenta está protegida por un segundo factor, así que un enlace solo no la abre.';
$_ADDONLANG['login_password_title'] = 'Este enlace ya no es válido';
$_ADDONLANG['login_password'] = 'La contraseña se cambió después de enviarse el correo. Inicie sesión con la nueva.';
$_ADDONLANG['login_sso_title'] = 'Inicie sesión';
$_ADDONLANG['login_sso'] = 'El inicio de sesión por enlace está desactivado para esta cuenta.';
$_ADDONLANG['login_away_title'] = 'Inicie sesión';
$_ADDONLANG['login_away'] = 'El enlace no puede comprobarse en este momento. Inténtelo de nuevo en un minuto, o inicie sesión con su contraseña.';
