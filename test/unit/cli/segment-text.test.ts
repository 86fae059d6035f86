import { describe, expect, it } from 'vitest'
import { renderSegment } from '../../../src/cli/segment-text.ts'
import type { SegmentSummary } from '../../../src/reader/segment-summary.ts'

const SEGMENT_ID = '5ea15eed-0000-4000-8000-000000000001'
const SUMMARY: SegmentSummary = {
  object: `sealed/segments/orders/2026/01/02/03/${SEGMENT_ID}.seal`,
  bytes: 1_234_567,
  formatVersion: 1,
  suite: 1,
  segmentId: SEGMENT_ID,
  generation: 1,
  createdAtMs: Date.UTC(2026, 0, 2, 3, 4),
  dekId: '5ea15eed-0000-4000-8000-0000000000d1',
  kekId: 'arn:aws:kms:us-east-1:000000000000:key/5ea15eed-0000-4000-8000-00000000000a',
  keyDomain: 'orders',
  clusterId: 'cluster-a',
  frames: 1_200,
  frameBytes: { min: 61, median: 1_024, max: 9_000 },
  footerBytes: 8_400,
  overheadBytesPerMessage: 43,
  sources: [
    { topic: 'orders', partition: 0, frames: 1_199, firstOffset: 17, lastOffset: 1_215 },
    { topic: 'orders', partition: 11, frames: 1, firstOffset: 5, lastOffset: 5 },
    { topic: 'orders', partition: 2, frames: 0, firstOffset: null, lastOffset: null },
  ],
}

describe('a segment for people', () => {
  it('is a name and a value a line, and a table of its sources', () => {
    expect(renderSegment(SUMMARY, null)).toBe(`\
object      sealed/segments/orders/2026/01/02/03/${SEGMENT_ID}.seal
bytes       1,234,567
format      version 1, suite 1 (AES-256-GCM, HKDF-SHA512)
segment     ${SEGMENT_ID}
generation  1
created     2026-01-02 03:04 UTC
DEK         5ea15eed-0000-4000-8000-0000000000d1
KEK         arn:aws:kms:us-east-1:000000000000:key/5ea15eed-0000-4000-8000-00000000000a
key domain  orders
cluster     cluster-a
frames      1,200
frame sizes 61 / 1,024 / 9,000 bytes (least / median / most)
footer      8,400 bytes
overhead    43.0 bytes a message

source     frames  offsets
orders/0    1,199  17 to 1215
orders/11       1  5 to 5
orders/2        0  -
`)
  })

  it('ends with the verdict when a key was used', () => {
    expect(renderSegment(SUMMARY, 1_200)).toMatch(/\n\nverified: 1,200 frames open\n$/)
  })

  it('does not let metadata steer the terminal', () => {
    const keyDomain = 'a\u001b[2J\u009bb\r\u202ec'
    const text = renderSegment({ ...SUMMARY, keyDomain }, null)
    expect(text).toContain('\nkey domain  a\\u{1b}[2J\\u{9b}b\\u{d}\\u{202e}c\n')
  })

  it('shows any time that a header holds', () => {
    const text = renderSegment({ ...SUMMARY, createdAtMs: 8.64e15 }, null)
    expect(text).toContain('\ncreated     +275760-09-13 00:00 UTC\n')
  })
})
