import { beforeEach, describe } from 'vitest'
import { ANNOUNCED_MS } from '../../../src/keys/key-desk.ts'
import { type KeyDeskParts, keyDeskContract } from '../../contracts/key-desk.contract.ts'
import { keyEventLogContract } from '../../contracts/key-event-log.contract.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'
import { MemoryKeyEventLog } from '../../support/memory-key-event-log.ts'

let parts: KeyDeskParts
let log: MemoryKeyEventLog

beforeEach(() => {
  const clock = new ManualClock()
  const desk = new MemoryKeyDesk(clock)
  parts = { desk, office: desk, runOut: async () => clock.advance(ANNOUNCED_MS) }
  log = new MemoryKeyEventLog()
})

describe('the desk in memory', () => keyDeskContract(() => parts))

describe('the log of key events in memory', () => keyEventLogContract(() => log))
