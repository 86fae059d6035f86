import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { KeyEvent } from '../../../src/keys/key-events.ts'
import { KeyJournal } from '../../../src/keys/key-journal.ts'
import type { RetiredKey } from '../../../src/keys/running-keys.ts'
import { Gate } from '../../support/gate.ts'
import { away } from '../../support/lane-place.ts'
import { MemoryKeyEventLog } from '../../support/memory-key-event-log.ts'
import { RecordingKeyObserver } from '../../support/recording-key-observer.ts'
import { SteppedClock, settled } from '../../support/stepped-clock.ts'

const ACTOR = 'encryptor host-1/4711/3f9a2c1b'

let clock: SteppedClock
let events: MemoryKeyEventLog
let observer: RecordingKeyObserver
let journal: KeyJournal
/** Events of each call. */
let calls: KeyEvent[][]
let gate: Gate

beforeEach(() => {
  clock = new SteppedClock()
  events = new MemoryKeyEventLog()
  observer = new RecordingKeyObserver()
  calls = []
  gate = new Gate()
  const log = {
    append: async (batch: readonly KeyEvent[]) => {
      calls.push([...batch])
      await gate.pass()
      await events.append(batch)
    },
  }
  journal = new KeyJournal({ log, clock, observer, actor: ACTOR })
})

function retiredKey(changes: Partial<RetiredKey> = {}): RetiredKey {
  const atMs = clock.nowMs()
  return {
    ...{ dekId: randomUUID(), keyDomain: 'orders', firstUsedAtMs: atMs, lastUsedAtMs: atMs },
    ...{ messages: 3, bytes: 30 },
    ...changes,
  }
}

const told = () => events.all.map(({ kind, reason, actor, atMs }) => [kind, reason, actor, atMs])

describe('the journal of keys', () => {
  it('tells of first use, last use and retirement, by whom, when and why', async () => {
    const key = retiredKey({ lastUsedAtMs: clock.nowMs() + 20 })
    const [firstMs] = [clock.nowMs()]
    journal.firstUsed(key.dekId, 'orders', firstMs)
    clock.advance(50)
    journal.retired(key, 'age')
    await settled()
    expect(told()).toEqual([
      ['first-use', 'first message of key domain orders', ACTOR, firstMs],
      ['last-use', '3 messages, 30 bytes', ACTOR, firstMs + 20],
      ['retired', 'window age', ACTOR, firstMs + 50],
    ])
    expect(observer.unwritten).toBe(0)
  })

  it('tells no use of a DEK that had none, and keeps the words of an operator', async () => {
    journal.retired(retiredKey({ firstUsedAtMs: null, lastUsedAtMs: null }), 'rotate-now by a: x')
    await settled()
    expect(told().map(([kind, reason]) => [kind, reason])).toEqual([
      ['retired', 'rotate-now by a: x'],
    ])
  })

  it('writes what happens at once in one call', async () => {
    for (let i = 0; i < 30; i++) journal.retired(retiredKey(), 'messages')
    await settled()
    expect(calls.map((call) => call.length)).toEqual([60])
  })

  it('keeps the order through an outage and writes nothing twice', async () => {
    events.failures.push(...Array.from({ length: 8 }, () => away('SEAL_MAPPING_UNAVAILABLE')))
    const keys = Array.from({ length: 150 }, () => retiredKey())
    journal.firstUsed(keys[0]?.dekId ?? '', 'orders', clock.nowMs())
    await settled()
    for (const key of keys) journal.retired(key, 'age')
    expect(events.all).toEqual([])
    expect(observer.unwritten).toBe(301)
    await clock.step(60_000)
    const retired = events.all.filter(({ kind }) => kind === 'retired')
    expect(retired.map(({ dekId }) => dekId)).toEqual(keys.map(({ dekId }) => dekId))
    expect(events.all).toHaveLength(301)
    expect(observer).toMatchObject({ unwritten: 0, lost: 0 })
    expect(observer.failed).toHaveLength(8)
  })

  it('takes no more than fits, and says what it lost', async () => {
    gate.close()
    for (let i = 0; i < 25_010; i++) journal.retired(retiredKey(), 'age')
    expect(observer.unwritten).toBe(50_000)
    expect(observer.lost).toBe(20)
    gate.open()
    await journal.close(1_000, 0)
    expect(events.all).toHaveLength(50_000)
  })

  it('counts the ends of DEKs that are left as lost', async () => {
    expect(await journal.close(1_000, 3)).toBe(3)
    expect(observer.lost).toBe(3)
  })

  it('is closed when everything is written, and has lost nothing then', async () => {
    journal.retired(retiredKey(), 'closed')
    expect(await journal.close(1_000, 0)).toBe(0)
    expect(told().map(([, reason]) => reason)).toEqual([
      '3 messages, 30 bytes',
      'the process stopped',
    ])
  })

  it('is closed in time though Cassandra stays away, and says what is lost', async () => {
    gate.close()
    journal.retired(retiredKey(), 'closed')
    let lost: number | null = null
    journal.close(1_000, 0).then((count) => {
      lost = count
    })
    await clock.step(999)
    expect(lost).toBeNull()
    await clock.step(1)
    expect(lost).toBe(2)
    expect(observer.lost).toBe(2)
  })
})
