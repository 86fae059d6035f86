import { describe, expect, it } from 'vitest'
import { findingsOf, type Outcome, summaryLines } from '../../faults/chaos/summary.ts'

const fleet: Outcome['fleet'] = {
  ...{ starts: 9, counts: { transactions: 5, references: 70 }, logged: () => 0 },
  ownEnds: new Map([['SEAL_KMS_UNAVAILABLE', 2]]),
  politeEnds: new Map([
    ['exit code 0', 3],
    ['SEAL_STOPPED', 1],
  ]),
}
const verdict: Outcome['verdict'] = {
  ...{ checked: 70, missing: [], doubled: [], unequal: [], aborted: [], failure: null },
}
const good: Outcome = {
  story: {
    events: new Map([['SIGKILL kafka', 2]]),
    recoveriesMs: [900, 4_200],
    stuck: 0,
    failures: 0,
  },
  behind: [],
  endedWell: true,
  sweeps: { ends: new Map([['a service was away', 1]]), removed: '3 segments' },
  verify: { code: 0, stdout: 'messages  70\n', stderr: 'progress' },
  verdict,
  fleet,
  totals: { acked: 70, unknown: 4, aborted: 20 },
}

describe('the summary of a chaos run', () => {
  it('says that nothing is wrong', () => {
    expect(findingsOf(good)).toEqual([])
    const lines = summaryLines(good)
    expect(lines.at(-1)).toBe('Nothing is wrong.')
    expect(lines.join('\n')).toMatch(/slowest recovery +4\.2 s/)
  })

  const wrong: readonly [string, Partial<Outcome>][] = [
    ['not sealed to the end: orders/1: 3 of 4', { behind: ['orders/1: 3 of 4'] }],
    ['messages missing: orders/1@3', { verdict: { ...verdict, missing: ['orders/1@3'] } }],
    ['messages doubled: orders/1@3', { verdict: { ...verdict, doubled: ['orders/1@3'] } }],
    ['references do not open: tampered', { verdict: { ...verdict, failure: 'tampered' } }],
    [
      'encryptors ended by themselves: SIGSEGV (1 times)',
      { fleet: { ...fleet, ownEnds: new Map([['SIGSEGV', 1]]) } },
    ],
    [
      'encryptors that were asked ended badly: code 7 (1 times)',
      { fleet: { ...fleet, politeEnds: new Map([['code 7', 1]]) } },
    ],
    ['the last encryptors did not end well: see their logs', { endedWell: false }],
    ['no recovery in time: 1 times', { story: { ...good.story, stuck: 1 } }],
    ['events that failed: 2 times', { story: { ...good.story, failures: 2 } }],
    [
      'partitions stopped: 2 times',
      {
        fleet: {
          ...fleet,
          logged: (message) => (message.test('"msg":"partition stopped') ? 2 : 0),
        },
      },
    ],
    [
      'sealstream sweep: exit code 1 (1 times)',
      { sweeps: { ...good.sweeps, ends: new Map([['exit code 1', 1]]) } },
    ],
    ['sealstream verify: exit code 5', { verify: { ...good.verify, code: 5 } }],
  ]
  it.each(wrong)('says: %s', (finding, over) => {
    const outcome = { ...good, ...over }
    expect(findingsOf(outcome)).toEqual([finding])
    expect(summaryLines(outcome).at(-1)).toBe(`WRONG: ${finding}`)
  })
})
