import { type RecordRun, RecordRunWriter, runValues } from '../../src/format/record-run.ts'

/** Values as the road hands them to its sink. */
export function runsOf(values: readonly Uint8Array[]): RecordRun[] {
  const writer = new RecordRunWriter()
  for (const value of values) writer.add(Buffer.from(value).toString('latin1'))
  return writer.take()
}

/** The values of runs, one behind the other. */
export function valuesOf(runs: readonly RecordRun[]): Buffer[] {
  return runs.flatMap((run) => [...runValues(run)].map((value) => Buffer.from(value, 'latin1')))
}
