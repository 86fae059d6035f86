import { describe } from 'vitest'
import { referenceLogContract } from '../../contracts/reference-log.contract.ts'
import { MemoryReferenceLog } from '../../support/memory-reference-log.ts'

describe('the reference log in memory', () => {
  referenceLogContract(async () => {
    const log = new MemoryReferenceLog(['orders'])
    return {
      log,
      append: async (value, atMs) => log.append([Buffer.from(value)], atMs),
      leaveOpen: async () => {
        log.isHidden = true
      },
      drop: async (count) => log.drop(count),
    }
  })
})
