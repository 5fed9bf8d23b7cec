package sessiontree.store;

/** The store in memory keeps the contract; it promises nothing more. */
class MemoryStoreTest extends SessionStoreContract {
  @Override
  protected SessionStore openStore() {
    return MemoryStore.create();
  }
}
