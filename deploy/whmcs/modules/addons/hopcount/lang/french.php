<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Se connecter';
$_ADDONLANG['login_plain'] = 'Se connecter avec votre mot de passe';
$_ADDONLANG['login_button_title'] = 'Encore une étape';
$_ADDONLANG['login_button'] = 'Appuyez sur le bouton pour vous connecter. Le lien ne sert qu\'une fois.';
$_ADDONLANG['login_off_title'] = 'Se connecter';
$_ADDONLANG['login_off'] = 'Veuillez vous connecter avec votre mot de passe.';
$_ADDONLANG['login_unknown_title'] = 'Ce lien ne fonctionne pas';
$_ADDONLANG['login_unknown'] = 'Il a peut-être été coupé ou modifié en route. Ouvrez-le de nouveau depuis l\'e-mail, ou connectez-vous avec votre mot de passe.';
$_ADDONLANG['login_expired_title'] = 'Ce lien a expiré';
$_ADDONLANG['login_expired'] = 'Les liens de connexion sont valables pour un temps limité. Veuillez vous connecter avec votre mot de passe.';
$_ADDONLANG['login_used_title'] = 'Ce lien a déjà servi';
$_ADDONLANG['login_used'] = 'Chaque lien vous connecte une seule fois. Veuillez vous connecter avec votre mot de passe.';
$_ADDONLANG['login_revoked_title'] = 'Ce lien n\'est plus valable';
$_ADDONLANG['login_revoked'] = 'Il a été retiré. Veuillez vous connecter avec votre mot de passe.';
$_ADDONLANG['login_cookie_title'] = 'Veuillez réessayer';
$_ADDONLANG['login_cookie'] = 'Votre navigateur n\'a pas gardé le cookie de cette page, ou la page est ancienne. Ouvrez de nouveau le lien depuis l\'e-mail, ou connectez-vous avec votre mot de passe.';
$_ADDONLANG['login_closed_title'] = 'Veuillez vous connecter';
$_ADDONLANG['login_closed'] = 'Ce compte ne peut pas être ouvert par un lien.';
$_ADDONLANG['login_factor_title'] = 'Veuillez vous connecter';
$_ADDONLANG['login_factor'] = 'Votre compte est protégé par un second facteur : un lien seul ne l\'ouvre pas.';
$_ADDONLANG['login_password_title'] = 'Ce lien n\'est plus valable';
$_ADDONLANG['login_password'] = 'Le mot de passe a été changé après l\'envoi de l\'e-mail. Veuillez vous connecter avec le nouveau.';
$_ADDONLANG['login_sso_title'] = 'Veuillez vous connecter';
$_ADDONLANG['login_sso'] = 'La connexion par lien est désactivée pour ce compte.';
$_ADDONLANG['login_away_title'] = 'Veuillez vous connecter';
$_ADDONLANG['login_away'] = 'Le lien ne peut pas être vérifié pour le moment. Réessayez dans une minute, ou connectez-vous avec votre mot de passe.';
