vcl 4.1;
backend none none;
sub vcl_recv { return (synth(302)); }
sub vcl_synth {
    set resp.http.Location = "https://billing.acme.example/index.php?rp=/invoice/1234567/pay";
    set resp.body = "";
    return (deliver);
}
