# Varnish before a gateway, as /etc/varnish/default.vcl. Varnish speaks no TLS: a program such as
# hitch does, and passes the client's address on (`varnishd -a 127.0.0.1:6086,PROXY`). A gateway
# behind it needs TRUST_PROXY (1, where nothing else can reach it).
#
# Only files below /assets are cached: the gateway's other responses carry `Cache-Control: no-store`
# or `no-cache`, and requests with a token pass the cache.
vcl 4.1;

backend gateway {
  .host = "127.0.0.1";
  .port = "8080";
  .connect_timeout = 2s;
  # A request that waits for a VM is answered within 60 s.
  .first_byte_timeout = 90s;
}

sub vcl_recv {
  # This replaces what the client sent.
  set req.http.X-Forwarded-For = client.ip;
  set req.http.X-Forwarded-Proto = "https";
  unset req.http.X-Forwarded-Host;
  # All else is not routed, such as /metrics: Prometheus scrapes each gateway directly.
  if (req.url !~ "^/($|\?|v1/|health/|docs|assets/)") {
    return (synth(404));
  }
  # A socket and an event stream pass unchanged in both directions. Varnish ends them after
  # `pipe_timeout` of silence: 60 s, which exceeds the heartbeat (5 s).
  if (req.http.Upgrade ~ "(?i)websocket" || req.http.Accept ~ "text/event-stream") {
    return (pipe);
  }
}

sub vcl_pipe {
  if (req.http.Upgrade) {
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
  }
}

sub vcl_deliver {
  # Browsers then use only HTTPS.
  set resp.http.Strict-Transport-Security = "max-age=31536000";
}
