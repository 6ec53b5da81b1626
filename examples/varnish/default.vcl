vcl 4.1;

# The director web and its backends, kept by muster.
include "/etc/varnish/muster-web.vcl";

sub vcl_recv {
    set req.backend_hint = web.backend();
}
