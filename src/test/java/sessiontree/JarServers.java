package sessiontree;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Servers by name, each with its own store, started when first asked for. */
final class JarServers implements AutoCloseable {
  private final Path folder;
  private final Map<String, JarServer> servers = new LinkedHashMap<>();
  private final Map<String, AssertionError> failures = new HashMap<>();

  JarServers(Path folder) {
    this.folder = folder;
  }

  /** Returns the server, which the first call starts with {@code flags}; a failure is final. */
  JarServer get(String name, String... flags) throws IOException, InterruptedException {
    JarServer server = servers.get(name);
    if (failures.containsKey(name)) {
      throw failures.get(name);
    }
    if (server == null) {
      try {
        server = JarServer.start(store(name), flags);
      } catch (AssertionError e) {
        failures.put(name, e);
        throw e;
      }
      servers.put(name, server);
    }
    return server;
  }

  Path store(String name) {
    return folder.resolve(name).resolve("store");
  }

  @Override
  public void close() throws InterruptedException {
    for (JarServer server : servers.values()) {
      server.close();
    }
  }
}
