package sessiontree.web;

import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.session.DefaultSessionIdManager;

/**
 * Takes the place of what names servlet sessions, which nothing here uses: the real one seeds a
 * source of random numbers at each start, and keeps a thread.
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
