import { describe, expect, test } from 'vitest'
import { parseTime, questionOf } from '../../../src/cli/impact-options.ts'
import {
  renderImpact,
  renderImpactJson,
  renderMessage,
  renderMessageJson,
} from '../../../src/cli/impact-text.ts'
import type { ImpactSummary } from '../../../src/incident/impact.ts'
import type { MessageAnswer } from '../../../src/incident/message-places.ts'

const DEK_ID = '5ea15eed-0000-4000-8000-0000000000d1'
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

const summary: ImpactSummary = {
  ...{ deks: 1, objects: 1_234, messages: 5_678_901, bytes: 23, isComplete: true },
  segments: { intended: 0, sealed: 0, published: 1_234, swept: 0, replaced: 0, shredded: 0 },
}

describe('impact in words', () => {
  test('is the counts, and no remarks where there are none to make', () => {
    expect(renderImpact({ dekId: DEK_ID }, summary, null).split('\n')).toEqual([
      `DEK ${DEK_ID}:`,
      '      5,678,901 messages',
      '             23 bytes',
      '          1,234 objects',
      '              1 DEKs',
      '',
    ])
  })

  test('says what is not simply there, and what is in the bucket', () => {
    const segments = { intended: 2, sealed: 3, published: 4, swept: 5, replaced: 6, shredded: 0 }
    const copies = {
      ...{ current: { count: 4, bytes: 400 }, unpublished: { count: 3, bytes: 300 } },
      ...{ noncurrent: { count: 6, bytes: 6_000 }, gone: 1, openUploads: 2, elsewhere: 0 },
    }
    const scope = { topic: 'orders', partition: 3, fromMs: AT_MS, toMs: AT_MS + 1_000 }
    const text = renderImpact(scope, { ...summary, segments }, copies)
    expect(text.split('\n')).toEqual([
      'topic orders, partition 3, from 2026-01-02 03:04:05.678 UTC, to 2026-01-02 03:04:06.678 UTC:',
      '      5,678,901 messages',
      '             23 bytes',
      '          1,234 objects',
      '              1 DEKs',
      '              3 of the objects are not marked as published',
      '              2 more objects were begun and may exist',
      '              5 more were never published and have been swept',
      '              6 more were re-encrypted, and are under another DEK now',
      'in the bucket:',
      '              4 published objects, 400 bytes',
      '              3 objects that are not marked as published, 300 bytes',
      '              6 noncurrent versions, 6,000 bytes',
      '              2 open uploads',
      '              1 objects on record that are gone',
      '',
    ])
    const parsed = JSON.parse(renderImpactJson(scope, summary, copies))
    expect(parsed).toEqual({ ...scope, ...summary, copies })
  })

  test('of names that would steer a terminal shows them harmless', () => {
    expect(renderImpact({ keyDomain: 'a\u001b[2J' }, summary, null)).toContain('a\\u{1b}[2J')
  })
})

describe('one message in words', () => {
  const segment = {
    ...{ dekId: DEK_ID, segmentId: 's1', objectKey: 'p/segments/orders/s1.seal' },
    ...{ createdAtMs: AT_MS, sealedAtMs: AT_MS + 1_000, sweptAtMs: null },
    ...{ messageCount: 9, bytes: 9, rowsDekId: DEK_ID },
    ...{ replaces: null, replaced: null, successors: [] },
    state: 'published',
  } as const
  const kek = { kekId: 'arn:aws:kms:eu-west-1:1:key/k', kekVersion: '3' }
  const dek = { dekId: DEK_ID, keyDomain: 'tenant-7', ...kek, createdAtMs: AT_MS }
  const at = { topic: 'orders', partition: 3, offset: 42 }
  const answer: MessageAnswer = {
    places: [{ ...at, position: 6_400, length: 1_100, dek, segment }],
    possible: [],
  }

  test('tells where it is, under which key, and where to go on', () => {
    expect(renderMessage('topic orders partition 3 offset 42', answer).split('\n')).toEqual([
      'topic orders partition 3 offset 42',
      '  message      orders partition 3 offset 42',
      '  state        published',
      `  DEK          ${DEK_ID}`,
      '  key domain   tenant-7',
      '  KEK          arn:aws:kms:eu-west-1:1:key/k',
      '  KEK version  3',
      '  object       p/segments/orders/s1.seal',
      '  segment      s1',
      '  frame        1,100 bytes at 6,400',
      '  opened       2026-01-02 03:04:05.678 UTC',
      '  sealed       2026-01-02 03:04:06.678 UTC',
      `  look further sealstream impact --dek ${DEK_ID}`,
      `               sealstream keys show ${DEK_ID}`,
      '               sealstream inspect p/segments/orders/s1.seal',
      '',
    ])
  })

  test('is the same as JSON', () => {
    expect(JSON.parse(renderMessageJson(at, answer, true))).toEqual({
      ...at,
      places: [
        {
          ...{ ...at, position: 6_400, length: 1_100, dekId: DEK_ID, keyDomain: 'tenant-7' },
          ...{ ...kek, segmentId: 's1', object: 'p/segments/orders/s1.seal' },
          ...{ state: 'published', createdAtMs: AT_MS, sealedAtMs: AT_MS + 1_000 },
        },
      ],
      ...{ possible: [], isComplete: true },
    })
  })

  test('names what may hold it besides', () => {
    const possible = [
      { ...segment, state: 'intended', objectKey: 'p/segments/orders/s2.seal' },
    ] as const
    const text = renderMessage('it', { places: [], possible })
    expect(text).toBe(
      'it\n1 begun segments whose rows are not written yet may hold it too:\n  p/segments/orders/s2.seal\n',
    )
  })
})

describe('a time', () => {
  test.each([
    ['1767323045678', AT_MS],
    ['2026-01-02', Date.UTC(2026, 0, 2)],
    [' 2026-01-02T03:04Z ', Date.UTC(2026, 0, 2, 3, 4)],
    ['2026-01-02T03:04:05.678', AT_MS],
    ['2026-01-02 03:04:05.678 UTC', AT_MS],
    ['2026-01-02T05:04:05.678+02:00', AT_MS],
  ])('%s is taken', (text, atMs) => {
    expect(parseTime(text)).toBe(atMs)
  })

  test.each([
    '',
    'yesterday',
    '2026',
    '2026-13-01',
    '2026-01-02T25:00',
    '-5',
    '1e3',
    '1 January 2026',
  ])('"%s" is refused', (text) => {
    expect(() => parseTime(text)).toThrow('a time such as')
  })
})

describe('options that make no question', () => {
  test.each([
    [{}, 'say what is asked about'],
    [{ dek: DEK_ID, kek: 'k' }, 'name one key'],
    [{ kekVersion: '3', topic: 'orders' }, '--kek-version goes with --kek'],
    [{ partition: 3, dek: DEK_ID }, '--partition goes with --topic'],
    [{ topic: ' ' }, '--topic is empty'],
    [{ topic: 'orders', offset: 4 }, '--offset goes with --topic and --partition'],
    [{ topic: 'orders', partition: 1, offset: 4, dek: DEK_ID }, 'leave out keys'],
    [{ topic: 'orders', partition: 1, offset: 4, list: true }, 'leave out --list'],
    [{ messageId: 'x', topic: 'orders' }, '--message-id stands alone'],
    [{ dek: DEK_ID, format: 'csv' }, '--format goes with --list'],
  ] as const)('%j are refused', (options, message) => {
    expect(() => questionOf(options)).toThrow(message)
  })
})
