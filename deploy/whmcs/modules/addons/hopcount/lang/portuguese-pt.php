<?php

/* The page of a login link. */
$_ADDONLANG['login_press'] = 'Iniciar sessão';
$_ADDONLANG['login_plain'] = 'Iniciar sessão com a palavra-passe';
$_ADDONLANG['login_button_title'] = 'Só mais um passo';
$_ADDONLANG['login_button'] = 'Prima o botão para iniciar sessão. A ligação funciona uma só vez.';
$_ADDONLANG['login_off_title'] = 'Iniciar sessão';
$_ADDONLANG['login_off'] = 'Inicie sessão com a sua palavra-passe.';
$_ADDONLANG['login_unknown_title'] = 'Esta ligação não funciona';
$_ADDONLANG['login_unknown'] = 'Talvez tenha sido cortada ou alterada pelo caminho. Abra-a de novo a partir do e-mail, ou inicie sessão com a palavra-passe.';
$_ADDONLANG['login_expired_title'] = 'Esta ligação expirou';
$_ADDONLANG['login_expired'] = 'As ligações para iniciar sessão são válidas por tempo limitado. Inicie sessão com a palavra-passe.';
$_ADDONLANG['login_used_title'] = 'Esta ligação já foi usada';
$_ADDONLANG['login_used'] = 'Cada ligação inicia sessão uma só vez. Inicie sessão com a palavra-passe.';
$_ADDONLANG['login_revoked_title'] = 'Esta ligação já não é válida';
$_ADDONLANG['login_revoked'] = 'Foi retirada. Inicie sessão com a sua palavra-passe.';
$_ADDONLANG['login_cookie_title'] = 'Tente mais uma vez';
$_ADDONLANG['login_cookie'] = 'O navegador não guardou o cookie desta página, ou a página é antiga. Abra de novo a ligação a partir do e-mail, ou inicie sessão com a palavra-passe.';
$_ADDONLANG['login_closed_title'] = 'Inicie sessão';
$_ADDONLANG['login_closed'] = 'Esta conta não pode ser aberta por uma ligação.';
$_ADDONLANG['login_factor_title'] = 'Inicie sessão';
$_ADDONLANG['login_factor'] = 'A sua conta está protegida por um segundo fator; uma ligação sozinha não a abre.';
$_ADDONLANG['login_password_title'] = 'Esta ligação já não é válida';
$_ADDONLANG['login_password'] = 'A palavra-passe foi alterada depois do envio do e-mail. Inicie sessão com a nova.';
$_ADDONLANG['login_sso_title'] = 'Inicie sessão';
$_ADDONLANG['login_sso'] = 'O início de sessão por ligação está desligado para esta conta.';
$_ADDONLANG['login_away_title'] = 'Inicie sessão';
$_ADDONLANG['login_away'] = 'De momento não é possível verificar a ligação. Tente de novo dentro de um minuto, ou inicie sessão com a palavra-passe.';
