{* The page of a login link.  Pressing the button uses the link, or logs out who is logged in as another client;
   looking at the page changes nothing. *}
<div class="card hopcount-login" style="max-width: 34em; margin: 2em auto">
    <div class="card-body" style="padding: 1.5em">
        <h1 style="font-size: 1.5em; margin-top: 0">{$hopcount_title|escape:'html':'UTF-8'}</h1>
        <p>{$hopcount_message|escape:'html':'UTF-8'}</p>
        {if $hopcount_view}
            <form method="post" action="index.php?m=hopcount">
                <input type="hidden" name="link" value="{$hopcount_link|escape:'html':'UTF-8'}">
                {if $hopcount_leave}<input type="hidden" name="leave" value="1">{/if}
                <input type="hidden" name="view" value="{$hopcount_view|escape:'html':'UTF-8'}">
                <button type="submit" class="btn btn-primary btn-lg">{$hopcount_button|escape:'html':'UTF-8'}</button>
            </form>
            <p style="margin: 1em 0 0"><a href="{$hopcount_plain_url|escape:'html':'UTF-8'}">{$hopcount_plain|escape:'html':'UTF-8'}</a></p>
        {else}
            <a class="btn btn-primary btn-lg" href="{$hopcount_plain_url|escape:'html':'UTF-8'}">{$hopcount_plain|escape:'html':'UTF-8'}</a>
        {/if}
    </div>
</div>
