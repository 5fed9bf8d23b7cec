package sessiontree.store;

/** The store in memory keeps the contract; it promises nothing more. */
class MemoryStoreTest extends SessionStoreContract<MemoryStore> {
  @Override
  protected MemoryStore openStore() {
    return MemoryStore.create();
  }
}
