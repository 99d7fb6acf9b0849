<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Entrar';
$_ADDONLANG['login_plain'] = 'Entrar com a senha';
$_ADDONLANG['login_button_title'] = 'Só mais um passo';
$_ADDONLANG['login_button'] = 'Clique no botão para entrar. O link funciona uma única vez.';
$_ADDONLANG['login_off_title'] = 'Entrar';
$_ADDONLANG['login_off'] = 'Entre com a sua senha.';
$_ADDONLANG['login_unknown_title'] = 'Este link não funciona';
$_ADDONLANG['login_unknown'] = 'Talvez tenha sido cortado ou alterado pelo caminho. Abra-o de novo a partir do e-mail, ou entre com a senha.';
$_ADDONLANG['login_expired_title'] = 'Este link expirou';
$_ADDONLANG['login_expired'] = 'Os links para entrar são válidos por tempo limitado. Entre com a senha.';
$_ADDONLANG['login_used_title'] = 'Este link já foi usado';
$_ADDONLANG['login_used'] = 'Cada link permite entrar uma única vez. Entre com a senha.';
$_ADDONLANG['login_revoked_title'] = 'Este link já não é válido';
$_ADDONLANG['login_revoked'] = 'Foi retirado. Entre com a sua senha.';
$_ADDONLANG['login_cookie_title'] = 'Tente mais uma vez';
$_ADDONLANG['login_cookie'] = 'O navegador não guardou o cookie desta página, ou a página é antiga. Abra de novo o link a partir do e-mail, ou entre com a senha.';
$_ADDONLANG['login_closed_title'] = 'Entre';
$_ADDONLANG['login_closed'] = 'Esta conta não pode ser aberta por um link.';
$_ADDONLANG['login_factor_title'] = 'Entre';
$_ADDONLANG['login_factor'] = 'A sua conta está protegida por um segundo fator; um link sozinho não a abre.';
$_ADDONLANG['login_password_title'] = 'Este link já não é válido';
$_ADDONLANG['login_password'] = 'A senha foi alterada depois do envio do e-mail. Entre com a nova.';
$_ADDONLANG['login_sso_title'] = 'Entre';
$_ADDONLANG['login_sso'] = 'O acesso por link está desativado para esta conta.';
$_ADDONLANG['login_away_title'] = 'Entre';
$_ADDONLANG['login_away'] = 'No momento não é possível verificar o link. Tente de novo em um minuto, ou entre com a senha.';
