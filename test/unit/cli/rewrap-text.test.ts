import { describe, expect, it } from 'vitest'
import {
  renderRewrapFailures,
  renderRewrapPlan,
  renderRewrapReport,
} from '../../../src/cli/rewrap-text.ts'
import type { RewrapReport } from '../../../src/rewrap/job.ts'
import { LIST_PRICES } from '../../../src/service-costs.ts'

const scope = {
  ...{ kekId: 'old', kekVersion: '3', targetOf: () => 'new' },
  ...{ actor: 'alice@ops-7', reason: 'rewrap' },
}
const pace = { kmsCallsPerSecond: 50, prices: LIST_PRICES }

describe('the plan of a rewrap', () => {
  it('has a figure a line', () => {
    const plan = {
      ...{ deks: 876_000, toRewrap: 875_000, targets: [{ kekId: 'new', deks: 875_000 }] },
      ...{ kmsCalls: 2_625_000, costUsd: 7.875, seconds: 52_500 },
    }
    expect(renderRewrapPlan(scope, plan, pace).split('\n')).toEqual([
      'KEK old version 3',
      '        876,000 DEKs were ever wrapped by it',
      '        875,000 are so now, and are to be rewrapped',
      '        875,000 under new',
      '      2,625,000 calls to the KMS, 50 a second at most',
      '           7.88 USD, at 0.03 USD for 10,000 calls',
      '           15 h at least',
      '',
    ])
  })

  it('has nothing to price when there is nothing to do', () => {
    const none = { toRewrap: 0, targets: [], kmsCalls: 0, costUsd: 0, seconds: 0 }
    expect(renderRewrapPlan(scope, { deks: 2, ...none }, pace).split('\n')).toHaveLength(4)
  })
})

describe('the report of a rewrap', () => {
  const report = (changes: Partial<RewrapReport>): RewrapReport => ({
    ...{ rewrapped: 1_200, failures: [], isStopped: false, isGivenUp: false },
    ...changes,
  })
  const failures = Array.from({ length: 22 }, (_, i) => ({
    ...{ dekId: `dek-${i}`, code: 'SEAL_KMS_DENIED' as const, message: 'no\u001b right' },
  }))

  it.each<[Partial<RewrapReport>, RegExp]>([
    [
      {},
      /^rewrapped 1,200 DEKs; no wrap of now is under KEK old version 3 any more\. Segments go on/,
    ],
    [{ isStopped: true }, /; stopped: run it again to go on\n$/],
    [{ failures, isGivenUp: true }, /; given up, for nothing went through any more\n$/],
    [{ failures }, /; 22 failed\n$/],
  ])('%# says what to do next', (changes, words) => {
    expect(renderRewrapReport(scope, report(changes))).toMatch(words)
  })

  it('names what failed, the first of them one by one', () => {
    const lines = renderRewrapFailures(report({ failures })).split('\n')
    expect(lines).toHaveLength(22)
    expect(lines[0]).toMatch(/^sealstream: DEK dek-0: no.+ right \[SEAL_KMS_DENIED\]$/)
    expect(lines[0]).not.toContain('\u001b')
    expect(lines[20]).toBe('sealstream: and 2 more (--json has them all)')
    expect(renderRewrapFailures(report({}))).toBe('')
  })
})
