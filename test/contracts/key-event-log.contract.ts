import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { KEY_EVENT_KINDS, type KeyEvent, type KeyEventLog } from '../../src/keys/key-events.ts'
import { all } from './mapping-store.contract.ts'

const AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)

/** An event of a DEK that no other test knows, unless told otherwise. */
export function keyEvent(changes: Partial<KeyEvent> = {}): KeyEvent {
  return {
    ...{ dekId: randomUUID(), kind: 'retired', atMs: AT_MS },
    ...{ actor: 'encryptor host-1/4711/3f9a2c1b', reason: 'window age' },
    ...{ kekId: null, kekVersion: null },
    ...changes,
  }
}

/** What every log of key events keeps to. `log` is called inside the tests. */
export function keyEventLogContract(log: () => KeyEventLog): void {
  test('events come back as they were written, oldest first, whatever the order of writing', async () => {
    const { dekId } = keyEvent()
    const wrap = { kekId: 'arn:aws:kms:eu-west-1:111122223333:key/k', kekVersion: '7' }
    const events = KEY_EVENT_KINDS.map((kind, i) =>
      keyEvent({ dekId, kind, atMs: AT_MS + i, ...(/wrapped/.test(kind) ? wrap : {}) }),
    )
    await log().append(events.toReversed().slice(0, 3))
    await log().append(events.toReversed().slice(3))
    expect(await all(log().eventsOf(dekId))).toEqual(events)
  })

  test('events of one millisecond stand in the order of a life', async () => {
    const { dekId } = keyEvent()
    const events = KEY_EVENT_KINDS.map((kind) => keyEvent({ dekId, kind }))
    await log().append(events.toReversed())
    expect((await all(log().eventsOf(dekId))).map(({ kind }) => kind)).toEqual(KEY_EVENT_KINDS)
  })

  test('the same event again changes nothing, and what differs in one word stands beside it', async () => {
    const event = keyEvent({ kind: 'rewrapped', kekId: 'kek', kekVersion: null })
    const { dekId } = event
    await log().append([event, event])
    await log().append([event])
    expect(await all(log().eventsOf(dekId))).toEqual([event])
    const others = [{ actor: 'alice@ops-7' }, { reason: 'x' }, { kekId: 'b' }, { kekVersion: '1' }]
    await log().append(others.map((change) => ({ ...event, ...change })))
    expect(await all(log().eventsOf(dekId))).toHaveLength(1 + others.length)
  })

  test('one call may tell of several DEKs, and each keeps to its own', async () => {
    const events = [keyEvent(), keyEvent({ kind: 'first-use' }), keyEvent()]
    await log().append(events)
    for (const event of events) expect(await all(log().eventsOf(event.dekId))).toEqual([event])
    await log().append([])
    expect(await all(log().eventsOf(randomUUID()))).toEqual([])
  })

  test('words of people are kept letter by letter', async () => {
    const event = keyEvent({ reason: `rotate-now: Gerät "verloren", it's\n🔑 ${'x'.repeat(400)}` })
    await log().append([event])
    expect(await all(log().eventsOf(event.dekId))).toEqual([event])
  })
}
