import { describe, expect, it } from 'vitest'
import { isComplete, renderReport } from '../../../src/cli/await-rotation.ts'
import { renderInstances } from '../../../src/cli/commands/keys-list.ts'
import { renderHistory } from '../../../src/cli/commands/keys-show.ts'
import { EXIT_CODES } from '../../../src/cli/exit-codes.ts'
import { registrations } from '../../../src/cli/main.ts'
import { runCommandLine } from '../../../src/cli/program.ts'
import type { KeyHistory } from '../../../src/incident/key-history.ts'
import type { KeyEvent } from '../../../src/keys/key-events.ts'
import type { InstanceReport } from '../../../src/keys/rotation.ts'
import { announced, keyInUse, keyRequest } from '../../contracts/key-desk.contract.ts'
import { recordTerminal } from './terminal-sample.ts'

const DEK_ID = '5ea15eed-0000-4000-8000-0000000000d1'
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

const lines = (text: string) => text.split('\n').map((line) => line.trimEnd())

describe('the list of keys', () => {
  it('has a line a DEK, and one for an instance that uses none', () => {
    const key = keyInUse({ dekId: DEK_ID, since: AT_MS, messages: 1_234, bytes: 5_678_901 })
    const text = renderInstances([
      announced({ instanceId: 'a/1/0', keys: [key] }),
      announced({ instanceId: 'bb/2/0', keys: [] }),
    ])
    const dash = '-'
    expect(lines(text)).toEqual([
      `INSTANCE  GROUP       KEY DOMAIN  DEK                                   SINCE                        MESSAGES      BYTES`,
      `a/1/0     sealstream  orders      ${DEK_ID}  2026-01-02 03:04:05.678 UTC     1,234  5,678,901`,
      `bb/2/0    sealstream  -           ${dash.padEnd(36)}  ${dash.padEnd(27)}         -          -`,
      '',
    ])
  })

  it('says when nobody runs', () => {
    expect(renderInstances([])).toBe('no instance is running\n')
  })
})

describe('the history of a key', () => {
  const event = (kind: KeyEvent['kind'], changes: Partial<KeyEvent> = {}): KeyEvent => ({
    ...{ dekId: DEK_ID, kind, atMs: AT_MS, actor: 'encryptor a/1/0', reason: 'window age' },
    ...{ kekId: null, kekVersion: null, ...changes },
  })
  const history = (changes: Partial<KeyHistory> = {}): KeyHistory => ({
    dek: {
      ...{ dekId: DEK_ID, keyDomain: 'orders', kekId: 'kek', kekVersion: null },
      createdAtMs: AT_MS,
    },
    events: [event('wrapped', { kekId: 'kek', kekVersion: '3' })],
    inUseBy: [],
    segments: { count: 1_000, messages: 2_000, bytes: 3_000, lastOpenedAtMs: AT_MS },
    ...changes,
  })

  it('shows the record, then the events', () => {
    expect(lines(renderHistory(history({ inUseBy: ['a/1/0'] })))).toEqual([
      `DEK         ${DEK_ID}`,
      'key domain  orders',
      'KEK         kek',
      'KEK version -',
      'created     2026-01-02 03:04:05.678 UTC',
      'state       in use by a/1/0',
      'segments    1,000, the last opened 2026-01-02 03:04:05.678 UTC',
      'messages    2,000',
      'bytes       3,000',
      '',
      'TIME                         EVENT    ACTOR            REASON',
      '2026-01-02 03:04:05.678 UTC  wrapped  encryptor a/1/0  window age (KEK kek, version 3)',
      '',
    ])
  })

  it.each<[string, Partial<KeyHistory>]>([
    ['retired', { events: [event('retired')] }],
    ['compromised, retired', { events: [event('retired'), event('compromised')] }],
    ['compromised, in use by a', { events: [event('compromised')], inUseBy: ['a'] }],
    ['shredded', { events: [event('retired'), event('shredded')] }],
    ['not in use, and nothing tells of its end', {}],
  ])('tells the state: %s', (state, changes) => {
    expect(renderHistory(history(changes))).toContain(`\nstate       ${state}`)
  })

  it('lets no words of others steer the terminal', () => {
    const hostile = event('retired', { reason: 'x\u001b[2J' })
    expect(renderHistory(history({ events: [hostile] }))).not.toContain('\u001b')
  })
})

describe('the report of a rotation', () => {
  const retired = {
    ...{ dekId: DEK_ID, keyDomain: 'orders', firstUsedAtMs: AT_MS, lastUsedAtMs: AT_MS },
    ...{ messages: 1_234, bytes: 5 },
  }
  const unused = { ...retired, firstUsedAtMs: null, lastUsedAtMs: null, messages: 0 }
  const report = (...instances: InstanceReport[]) => ({ request: keyRequest(), instances })

  it('has a line a retired DEK with its last use, and one for each other instance', () => {
    const text = renderReport(
      report(
        { instanceId: 'a', standing: 'retired', refusal: null, retired: [retired, unused] },
        { instanceId: 'b', standing: 'retired', refusal: null, retired: [] },
        { instanceId: 'c', standing: 'gone', retired: [], refusal: null },
      ),
    )
    expect(lines(text).map((line) => line.replace(/ {2,}/g, ' | '))).toEqual([
      'INSTANCE | KEY DOMAIN | RETIRED DEK | LAST USED | MESSAGES',
      `a | orders | ${DEK_ID} | 2026-01-02 03:04:05.678 UTC | 1,234`,
      `a | orders | ${DEK_ID} | never | 0`,
      'b | - | none in scope | - | -',
      'c | - | gone | - | -',
      '',
    ])
  })

  it('is complete when all confirmed, of which there is at least one', () => {
    const one = (standing: InstanceReport['standing']) =>
      report(
        { instanceId: 'a', standing: 'retired', refusal: null, retired: [] },
        { instanceId: 'b', standing, retired: [], refusal: null },
      )
    expect(isComplete(report())).toBe(false)
    const complete = (['retired', 'stopped'] as const).map((standing) => isComplete(one(standing)))
    expect(complete).toEqual([true, true])
    const open = (['waiting', 'closing', 'gone', 'refused'] as const).map((standing) =>
      isComplete(one(standing)),
    )
    expect(open).toEqual([false, false, false, false])
  })
})

describe('keys', () => {
  it.each([
    [['rotate-now'], 'required option'],
    [['rotate-now', '--reason', '  '], 'a text of 1 to 500 characters'],
    [['rotate-now', '--reason', 'x', '--timeout', '0'], 'a number of seconds'],
    [['rotate-now', '--reason', 'x', '--domain', ''], '--domain is empty'],
    [['retire', '--reason', 'x'], 'missing required argument'],
    [['retire', DEK_ID], 'required option'],
    [['show'], 'missing required argument'],
  ])('%j is refused before anything is asked', async (args, message) => {
    const { terminal, written } = recordTerminal()
    const code = await runCommandLine(['keys', ...args], registrations, terminal)
    expect(code).toBe(EXIT_CODES.refused)
    expect(written.err).toContain(message)
  })
})
