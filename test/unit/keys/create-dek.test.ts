import { describe, expect, it } from 'vitest'
import { createDek, type DekMaker } from '../../../src/keys/create-dek.ts'
import type { KeyEvent } from '../../../src/keys/key-events.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { Gate } from '../../support/gate.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKeyEventLog } from '../../support/memory-key-event-log.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'
import { settled } from '../../support/stepped-clock.ts'

/** What makes DEKs, with a gate before its log. */
function makerWith(kms: FakeKms, events: MemoryKeyEventLog): { maker: DekMaker; gate: Gate } {
  const gate = new Gate()
  const append = async (made: readonly KeyEvent[]) => {
    await gate.pass()
    await events.append(made)
  }
  const maker = {
    ...{ kms, keyStore: { recordDek: async () => {} }, events: { append } },
    ...{ actor: 'encryptor host-1/4711/3f9a2c1b', kekOf: () => KEK_ID, clock: new ManualClock() },
  }
  return { maker, gate }
}

describe('the making of a DEK', () => {
  it('is told, with the KEK that wraps it, before the DEK is given out', async () => {
    const events = new MemoryKeyEventLog()
    const { maker, gate } = makerWith(new FakeKms(KEK_ID), events)
    gate.close()
    let isOut = false
    const making = createDek(maker, 'orders').then((dek) => {
      isOut = true
      return dek
    })
    await settled()
    expect(isOut).toBe(false)
    gate.open()
    const { dekId, kekId, createdAtMs: atMs } = (await making).record
    const common = { dekId, atMs, actor: maker.actor, reason: 'for key domain orders' }
    expect(events.all).toEqual([
      { ...common, kind: 'created', kekId: null, kekVersion: null },
      { ...common, kind: 'wrapped', kekId, kekVersion: '1' },
    ])
  })

  it('that cannot be told gives no DEK, and the key is wiped', async () => {
    const kms = new FakeKms(KEK_ID)
    const events = new MemoryKeyEventLog()
    events.failures.push(new Error('no log'))
    await expect(createDek(makerWith(kms, events).maker, 'orders')).rejects.toThrow('no log')
    expect(kms.handedOut[0]?.every((byte) => byte === 0)).toBe(true)
  })
})
