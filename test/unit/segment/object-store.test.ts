import { objectStoreContract } from '../../contracts/object-store.contract.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'

objectStoreContract('memory', () => {
  const store = new MemoryObjectStore()
  return { store, reader: store, close: () => store.close() }
})
