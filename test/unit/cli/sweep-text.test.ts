import { describe, expect, it } from 'vitest'
import { renderSweep, renderSweepJson, type SweepReport } from '../../../src/cli/sweep-text.ts'
import type { SweepItem, SweepVerdict } from '../../../src/incident/sweep-plan.ts'

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const HOUR_MS = 3_600_000

function item(verdict: SweepVerdict, name: string, bytes: readonly number[] = []): SweepItem {
  const objectKey = `s/${name}.seal`
  return {
    segment: {
      ...{ dekId: 'd', segmentId: name, objectKey, createdAtMs: AT_MS },
      ...{ state: 'sealed', sweptAtMs: null, sealedAtMs: AT_MS, messageCount: 1, bytes: 1 },
      ...{ rowsDekId: 'd', replaces: null, replaced: null, successors: [] },
    },
    ...{ verdict, reason: `because ${name}` },
    objects: bytes.map((one) => ({
      ...{ key: objectKey, versionId: null, isDeleteMarker: false, isCurrent: true },
      ...{ bytes: one, modifiedAtMs: AT_MS },
    })),
    uploads: verdict === 'orphan' ? [{ key: objectKey, uploadId: 'u', startedAtMs: AT_MS }] : [],
  }
}

const report = (changes: Partial<SweepReport> = {}): SweepReport => ({
  ageMs: 36 * HOUR_MS,
  plan: {
    items: [item('published', 'p'), item('orphan', 'o', [1_000, 234]), item('unknown', 'u', [5])],
    ...{ seen: 4_321, young: 7 },
    unnamedUploads: [{ key: 's/stray.seal', uploadId: 'x', startedAtMs: AT_MS }],
  },
  outcome: null,
  ...changes,
})

describe('a sweep in words', () => {
  it('of a dry run is a table and what would be removed', () => {
    expect(renderSweep(report()).split('\n')).toEqual([
      'VERDICT    OBJECT    BEGUN                        VERSIONS  BYTES  UPLOADS  REASON',
      'unknown    s/u.seal  2026-01-02 03:04:05.678 UTC         1      5        0  because u',
      'orphan     s/o.seal  2026-01-02 03:04:05.678 UTC         2  1,234        1  because o',
      'published  s/p.seal  2026-01-02 03:04:05.678 UTC         0      0        0  because p',
      '',
      'no intent names the open upload of s/stray.seal; kept',
      '4,321 segments on record, 7 younger than 36h passed over',
      'would remove 2 objects, 1,234 bytes, 1 uploads of 1 segments, and mark 1 segments as published; --yes does it',
      '',
    ])
  })

  it('that was carried out says what was done, refused and left', () => {
    const outcome = {
      ...{ segments: 1, objects: 2, bytes: 1_234, uploads: 1, marked: 1, grown: 1 },
      ...{ refused: [{ objectKey: 's/l.seal', reason: 'is locked' }], isStopped: true },
    }
    const plan = { items: [], seen: 1, young: 0, unnamedUploads: [] }
    expect(renderSweep(report({ plan, outcome })).split('\n')).toEqual([
      'kept s/l.seal: is locked',
      '1 segments on record, 0 younger than 36h passed over',
      'removed 2 objects, 1,234 bytes, 1 uploads of 1 segments',
      'marked 1 segments as published',
      'kept 1 segments of which something has come in',
      'stopped before the end; the next sweep goes on',
      '',
    ])
  })

  it('as JSON is one object on one line', () => {
    const text = renderSweepJson(report())
    expect(text.trimEnd()).not.toContain('\n')
    expect(JSON.parse(text)).toMatchObject({
      ...{ dryRun: true, ageMs: 36 * HOUR_MS, seen: 4_321, young: 7, done: null },
      wouldRemove: { segments: 1, objects: 2, bytes: 1_234, uploads: 1, marks: 1 },
      segments: [
        { verdict: 'unknown', object: 's/u.seal', reason: 'because u' },
        { verdict: 'orphan', versions: 2, bytes: 1_234, uploads: 1 },
        { verdict: 'published' },
      ],
      unnamedUploads: [{ object: 's/stray.seal', uploadId: 'x' }],
    })
  })
})
