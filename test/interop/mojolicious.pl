# A client on Mojolicious: see README.md.
use Mojo::Base -strict;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::UserAgent;

my ($url, $token, $mode) = @ARGV;
my $in_header = $mode eq 'header';
my $headers = $in_header ? {Authorization => "Bearer $token"} : {};
my $protocols = $in_header ? [] : ['lablink.v1', "bearer.$token"];
$| = 1;

my $agent = Mojo::UserAgent->new;
$agent->websocket($url => $headers => $protocols => sub {
  my ($agent, $socket) = @_;
  if (!$socket->is_websocket) {
    say 'refused ', $socket->res->code // '';
    exit 1;
  }
  say 'subprotocol ', $socket->protocol // '';
  $socket->on(finish => sub {
    my ($socket, $code) = @_;
    say 'closed ', $code // 1006;
    Mojo::IOLoop->stop;
  });
  # Bytes, as decode_json wants them, and as they are printed.
  $socket->on(message => sub {
    my ($socket, $text) = @_;
    my $bytes = Mojo::Util::encode('UTF-8', $text);
    say $bytes;
    my $message = decode_json($bytes);
    return if $message->{type} ne 'assignment';
    my $id = $message->{vm}{assignment_id};
    $socket->send({text => encode_json({type => 'ack', assignment_id => $id})});
  });
});
Mojo::IOLoop->start;
