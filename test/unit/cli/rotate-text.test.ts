import { describe, expect, it } from 'vitest'
import { kekStatusOf, renderStatus } from '../../../src/cli/commands/rotate-status.ts'
import { orderWords, warningsOf } from '../../../src/cli/kek-order-text.ts'
import { refuseSharing } from '../../../src/keys/give-kek-order.ts'
import { keksInForce } from '../../../src/keys/kek-orders.ts'
import { lastUseOf } from '../../../src/keys/rotation.ts'
import { newKekOrder } from '../../contracts/kek-orders.contract.ts'
import { announced, keyInUse, keyRequest } from '../../contracts/key-desk.contract.ts'
import { parseTree } from '../config/sample.ts'

const NEW = 'arn:aws:kms:eu-west-1:111122223333:key/new'
const order = { ...newKekOrder(), sequence: 1 }
const configured = { keyId: 'old', byDomain: new Map([['tenant', 'own']]) }

describe('the status of KEKs', () => {
  const instance = announced({
    instanceId: 'a',
    keys: [
      keyInUse({ kekId: NEW, keyDomain: 'orders' }),
      keyInUse({ kekId: 'old', keyDomain: 'late' }),
    ],
  })

  it('marks the data keys that are not under the KEK in force', () => {
    const plain = { keyId: 'old', byDomain: new Map() }
    const status = kekStatusOf(plain, [order], [instance])
    expect(status.inUse.map(({ isInForce }) => isInForce)).toEqual([true, false])
    const text = renderStatus(status)
    const lines = text.split('\n').map((line) => line.replace(/ {2,}/g, ' | '))
    expect(lines).toEqual([
      'KEY DOMAIN | KEK IN FORCE | BY',
      `all | ${NEW} | order 1`,
      '',
      'ORDER | GIVEN | BY | KEY DOMAIN | FROM | TO | REASON',
      `1 | 2026-03-04 23:59:59.500 UTC | alice@ops-7 | all | any | ${NEW} | yearly`,
      '',
      'INSTANCE | KEY DOMAIN | KEK IN USE | VERSION | SINCE',
      `a | orders | ${NEW} | 3 | 2026-03-04 23:59:59.500 UTC`,
      'a | late | old | 3 | 2026-03-04 23:59:59.500 UTC | NOT THE ONE IN FORCE',
      '',
    ])
  })

  it('is what the configuration says without orders', () => {
    expect(renderStatus(kekStatusOf(configured, [], []))).toBe(
      [
        'KEY DOMAIN  KEK IN FORCE  BY',
        'all others  old           the configuration',
        'tenant      own           the configuration',
        '',
      ].join('\n'),
    )
  })
})

describe('an order', () => {
  const retired = { dekId: 'd', keyDomain: 'orders', firstUsedAtMs: 1, messages: 1, bytes: 1 }
  const report = (...uses: (number | null)[]) => ({
    request: keyRequest({ askedAtMs: 1_000 }),
    instances: uses.map((lastUsedAtMs, i) => ({
      ...{ instanceId: `i${i}`, standing: 'retired' as const, refusal: null },
      retired: [{ ...retired, lastUsedAtMs }],
    })),
  })

  it.each([
    ['no data key of before had been used', [null]],
    [
      'the KEK of before was used last 1970-01-01 00:00:03.500 UTC, 2.5 s after the order, as clocks go',
      [3_500, 900, null],
    ],
    ['the KEK of before was used last 1970-01-01 00:00:00.900 UTC, before the order', [900, null]],
  ])('ends with: %s', (words, uses) => {
    const told = report(...(uses as (number | null)[]))
    expect(orderWords(order).text(told)).toBe(`${words}\n`)
    expect(orderWords(order).json(told)).toMatchObject({ oldKekLastUsedAtMs: lastUseOf(told) })
  })

  it('warns of readers that do not know the KEK, and of a topic that is none', () => {
    const { config } = parseTree({})
    const [known, unknown] = [[NEW], ['old']].map((allowed) => warningsOf(order, config, allowed))
    expect(known).toEqual([expect.stringMatching(/^every other reader needs .*allowedKeyIds/)])
    expect(unknown).toEqual([expect.stringMatching(/^this configuration lacks .*allowedKeyIds/)])
    const withdrawal = { ...order, toKekId: null, keyDomain: 'odrers' }
    expect(warningsOf(withdrawal, config, [])).toEqual([
      expect.stringContaining('come back into force'),
      expect.stringContaining('"odrers" is no topic'),
    ])
  })

  it.each([
    ['all domains', {}, 'all other key domains and tenant would share'],
    ['one that has its own', { keyDomain: 'tenant', toKekId: 'old' }, 'would share old'],
  ])('is refused when %s would come to share a KEK', (_what, changes, words) => {
    const orders = [{ ...newKekOrder(changes), sequence: 1 }]
    const share = () => refuseSharing(keksInForce(configured, []), keksInForce(configured, orders))
    expect(share).toThrow(words)
  })

  it('may replace the KEK of those who have it', () => {
    const orders = [{ ...newKekOrder({ fromKekId: 'old' }), sequence: 1 }]
    refuseSharing(keksInForce(configured, []), keksInForce(configured, orders))
  })
})
