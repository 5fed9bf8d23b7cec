package sessiontree.store;

import static org.assertj.core.api.Assertions.assertThat;
import static sessiontree.Messages.end;
import static sessiontree.Messages.message;
import static sessiontree.Messages.start;

import org.junit.jupiter.api.Test;

/** The memory store keeps the contract, and promises nothing more. */
class MemoryStoreTest extends SessionStoreContract<MemoryStore> {
  @Override
  protected MemoryStore openStore() {
    return MemoryStore.create();
  }

  @Test
  void treesBeforeAndAfterARestart_shareNoTag() throws Exception {
    appender("a").append(message(start(1), end(2))).assertStored();
    String tag = store.tree("a").orElseThrow().tag();
    store.close();
    store = openStore();
    appender("a").append(message(start(3), end(4))).assertStored();
    assertThat(store.tree("a").orElseThrow().tag()).isNotEqualTo(tag);
  }
}
