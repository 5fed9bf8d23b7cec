package sessiontree.web;

import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.session.DefaultSessionIdManager;

/**
 * A session id manager that does nothing, as nothing here uses servlet sessions. The real one seeds
 * a random number generator at each start, and keeps a thread.
 */
final class NoSessions extends DefaultSessionIdManager {
  NoSessions(Server server) {
    super(server);
  }

  @Override
  protected void doStart() {}

  @Override
  protected void doStop() {}
}
