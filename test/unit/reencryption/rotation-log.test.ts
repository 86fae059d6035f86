import { rotationLogContract } from '../../contracts/rotation-log.contract.ts'
import { MemoryMappingStore } from '../../support/memory-mapping-store.ts'
import { MemoryRotationLog } from '../../support/memory-rotation-log.ts'

const keys = new MemoryMappingStore()
const rotation = new MemoryRotationLog(keys)

rotationLogContract(() => ({ keys, rotation }))
