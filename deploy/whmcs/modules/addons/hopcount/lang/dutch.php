<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Inloggen';
$_ADDONLANG['login_plain'] = 'Inloggen met uw wachtwoord';
$_ADDONLANG['login_button_title'] = 'Nog één stap';
$_ADDONLANG['login_button'] = 'Druk op de knop om in te loggen. De link werkt één keer.';
$_ADDONLANG['login_off_title'] = 'Inloggen';
$_ADDONLANG['login_off'] = 'Log in met uw wachtwoord.';
$_ADDONLANG['login_unknown_title'] = 'Deze link werkt niet';
$_ADDONLANG['login_unknown'] = 'Misschien is hij onderweg afgebroken of veranderd. Open hem opnieuw vanuit de e-mail, of log in met uw wachtwoord.';
$_ADDONLANG['login_expired_title'] = 'Deze link is verlopen';
$_ADDONLANG['login_expired'] = 'Links om in te loggen zijn een beperkte tijd geldig. Log in met uw wachtwoord.';
$_ADDONLANG['login_used_title'] = 'Deze link is al gebruikt';
$_ADDONLANG['login_used'] = 'Met elke link kunt u één keer inloggen. Log in met uw wachtwoord.';
$_ADDONLANG['login_revoked_title'] = 'Deze link is niet meer geldig';
$_ADDONLANG['login_revoked'] = 'Hij is ingetrokken. Log in met uw wachtwoord.';
$_ADDONLANG['login_cookie_title'] = 'Probeer het nog eens';
$_ADDONLANG['login_cookie'] = 'Uw browser heeft de cookie van deze pagina niet bewaard, of de pagina is oud. Open de link opnieuw vanuit de e-mail, of log in met uw wachtwoord.';
$_ADDONLANG['login_closed_title'] = 'Log in';
$_ADDONLANG['login_closed'] = 'Dit account kan niet met een link worden geopend.';
$_ADDONLANG['login_factor_title'] = 'Log in';
$_ADDONLANG['login_factor'] = 'Uw account is beveiligd met een tweede factor; een link alleen opent het niet.';
$_ADDONLANG['login_password_title'] = 'Deze link is niet meer geldig';
$_ADDONLANG['login_password'] = 'Het wachtwoord is gewijzigd nadat de e-mail was verstuurd. Log in met het nieuwe.';
$_ADDONLANG['login_sso_title'] = 'Log in';
$_ADDONLANG['login_sso'] = 'Inloggen met een link is voor dit account uitgeschakeld.';
$_ADDONLANG['login_away_title'] = 'Log in';
$_ADDONLANG['login_away'] = 'De link kan op dit moment niet worden gecontroleerd. Probeer het over een minuut opnieuw, of log in met uw wachtwoord.';
