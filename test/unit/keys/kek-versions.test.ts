import { beforeEach, describe, expect, it } from 'vitest'
import { versionsInUse } from '../../../src/keys/kek-versions.ts'
import type { KeyInUse } from '../../../src/keys/running-keys.ts'
import { announced, keyInUse } from '../../contracts/key-desk.contract.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryKeyDesk } from '../../support/memory-key-desk.ts'

const NOW = [{ kekId: 'arn:aws:kms:eu-west-1:1:key/kek', kekVersion: '4' }]

let clock: ManualClock
let desk: MemoryKeyDesk
beforeEach(() => {
  clock = new ManualClock()
  desk = new MemoryKeyDesk(clock)
})

const say = (instanceId: string, ...keys: KeyInUse[]) =>
  desk.announce(announced({ instanceId, keys }))
const look = (keyDomain: string | null = null) =>
  versionsInUse({ office: desk, clock }, keyDomain, NOW, {
    ...{ withinMs: 5_000, signal: new AbortController().signal },
  })

describe('the versions of a KEK in use', () => {
  it('are told at once when every instance has a data key under the new one', async () => {
    await say('a', keyInUse({ kekVersion: '4' }))
    await say('b', keyInUse({ kekVersion: '4' }), keyInUse({ kekId: 'another', kekVersion: '1' }))
    expect(await look()).toEqual({ renewed: 3, stale: [], unused: [] })
    expect(clock.slept).toEqual([])
  })

  it('are waited for, and told as they are when the time is over', async () => {
    const old = keyInUse({ kekVersion: '3' })
    await say('a', old)
    await say('b')
    const sleep = clock.sleep.bind(clock)
    let turns = 0
    clock.sleep = async (ms) => {
      if (++turns === 3) await say('b', keyInUse({ kekVersion: '4' }))
      await sleep(ms)
    }
    const report = await look()
    expect(report).toEqual({ renewed: 1, stale: [{ instanceId: 'a', key: old }], unused: [] })
    expect(turns).toBe(10)
  })

  it('are those of one key domain where one is named', async () => {
    await say('a', keyInUse({ keyDomain: 'other', kekVersion: '3' }))
    expect(await look('orders')).toEqual({ renewed: 0, stale: [], unused: ['a'] })
  })
})
