import { type Mutant, unit } from './mutant.ts'

const property = { project: 'unit', files: ['test/property/impact.test.ts'] } as const

/** Guards of look-ups: no answer is less than what is there. */
export const lookUps: readonly Mutant[] = [
  {
    name: 'bytes leave before their places are durable',
    file: 'src/pipeline/part-worker.ts',
    text: 'failed === undefined ? await timed(upload)',
    replacement: 'failed !== null ? await timed(upload)',
    tests: unit('pipeline/part-worker'),
  },
  {
    name: 'a segment is marked as sealed without the totals of its sources',
    file: 'src/pipeline/segment-writer.ts',
    text: '      patience.with(() => mapping.recordTotals(opened, totals)),\n',
    replacement: '',
    tests: unit('pipeline/segment-writer'),
  },
  {
    name: 'message ids get lost when a part is tried again',
    file: 'src/pipeline/part-worker.ts',
    text: '  if (progress.messageIds !== undefined) return { messageIds: progress.messageIds }\n',
    replacement: '',
    tests: unit('pipeline/part-worker'),
  },
  {
    name: 'a time range forgets segments that were opened before it',
    file: 'src/incident/scoped-segments.ts',
    text: ' - SEGMENT_OPEN_MS_MAX - SLOT_MS',
    replacement: ' - SLOT_MS',
    tests: property,
  },
  {
    name: 'a segment is not followed to the DEK that it was re-encrypted under',
    file: 'src/incident/scoped-segments.ts',
    text: '    open.push(...next.filter((one) => one !== null))\n',
    replacement: '',
    tests: property,
  },
  {
    name: 'an answer that may lack something passes for complete',
    file: 'src/incident/impact.ts',
    text: '  return reader.coverAll()\n',
    replacement: '  return true\n',
    tests: unit('incident/backfill'),
  },
]
