// A client on Java's own HttpClient and WebSocket: see README.md.

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.regex.Pattern;

public class HttpClient {
  static final PrintStream OUT =
      new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
  static final Pattern ASSIGNMENT_ID = Pattern.compile("\"assignment_id\":\"([-0-9a-f]+)\"");

  static class Printer implements WebSocket.Listener {
    final CompletableFuture<Integer> closed = new CompletableFuture<>();
    final StringBuilder parts = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
      parts.append(part);
      CompletionStage<?> handled = isLast ? handle(socket) : null;
      socket.request(1);
      return handled;
    }

    CompletionStage<?> handle(WebSocket socket) {
      String text = parts.toString();
      parts.setLength(0);
      OUT.println(text);
      var id = ASSIGNMENT_ID.matcher(text);
      if (!text.startsWith("{\"type\":\"assignment\"") || !id.find()) return null;
      return socket.sendText("{\"type\":\"ack\",\"assignment_id\":\"" + id.group(1) + "\"}", true);
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
      closed.complete(code);
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      closed.completeExceptionally(error);
    }
  }

  public static void main(String[] args) throws Exception {
    String url = args[0], token = args[1];
    boolean inHeader = args[2].equals("header");
    var client = java.net.http.HttpClient.newHttpClient();
    // By default this client offers h2c with `Upgrade` in every request.
    var request = HttpRequest.newBuilder(URI.create(url.replaceFirst("^ws", "http")));
    request.header("Authorization", "Bearer " + token);
    OUT.println("http " + client.send(request.build(), BodyHandlers.ofString()).statusCode());

    var builder = client.newWebSocketBuilder();
    if (inHeader) builder.header("Authorization", "Bearer " + token);
    else builder.subprotocols("lablink.v1", "bearer." + token);
    var printer = new Printer();
    try {
      var socket = builder.buildAsync(URI.create(url), printer).join();
      OUT.println("subprotocol " + socket.getSubprotocol());
    } catch (CompletionException error) {
      if (!(error.getCause() instanceof WebSocketHandshakeException refusal)) throw error;
      OUT.println("refused " + refusal.getResponse().statusCode());
      System.exit(1);
    }
    OUT.println("closed " + printer.closed.join());
    System.exit(0);
  }
}
