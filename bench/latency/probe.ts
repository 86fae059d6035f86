import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { PartPool } from '../../src/adapters/piscina/part-pool.ts'
import { runValues } from '../../src/format/record-run.ts'
import { isReferenceList, parseReferences } from '../../src/format/reference-list.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import { LaneSession } from '../../src/pipeline/lane-session.ts'
import type { TopicPartition } from '../../src/pipeline/message-source.ts'
import type { PartTask, ReferenceRun } from '../../src/pipeline/part-task.ts'
import { SegmentGroup } from '../../src/pipeline/segment-group.ts'
import { monotonicMs } from './monotonic.ts'

/** One line of what the probe writes down. */
export interface Sighting {
  readonly stage: 'read' | 'handed' | 'sealed' | 'durable'
  readonly topic: string
  readonly partition: number
  /** First offset; absent where all before `to` is meant. */
  readonly from?: number
  readonly to: number
  readonly atMs: number
}

const FLUSH_MS = 500

/**
 * Loaded into the encryptor before the program (`node --import`), this writes down when batches are
 * read, parts handed to a thread and sealed, and groups of segments durable: object complete, mapping written. It works by the
 * batch and by the part, never by the message, and changes nothing of what they do.
 */
function install(path: string): void {
  let lines: string[] = []
  const flush = () => {
    if (lines.length > 0) appendFileSync(path, lines.join(''))
    lines = []
  }
  const note = (sighting: Sighting) => lines.push(`${JSON.stringify(sighting)}\n`)
  setInterval(flush, FLUSH_MS).unref()
  process.on('exit', flush)
  watchReading(note)
  watchSealing(note)
  watchDurability(note)
}

function watchReading(note: (sighting: Sighting) => void): void {
  const { accept } = LaneSession.prototype
  LaneSession.prototype.accept = function (batch, control) {
    const { topic, partition, fetchedOffset, nextOffset } = batch
    const atMs = monotonicMs()
    note({ stage: 'read', topic, partition, from: fetchedOffset, to: nextOffset, atMs })
    return accept.call(this, batch, control)
  }
}

/** A worker tells how long it stored once it had sealed: parts of an upload map beside it, a whole object before. */
function watchSealing(note: (sighting: Sighting) => void): void {
  const { run } = PartPool.prototype
  PartPool.prototype.run = async function (task: PartTask) {
    const handedMs = monotonicMs()
    const result = await run.call(this, task)
    if (!result.ok) return result
    const { uploadMs, mapMs } = result.timings
    const isWhole = task.upload.kind === 'whole-object'
    const storedMs = isWhole ? uploadMs + mapMs : Math.max(uploadMs, mapMs)
    const atMs = monotonicMs() - storedMs
    for (const run of result.references) {
      const { topic, partition } = task.segment.sources[run.source] as TopicPartition
      const span = spanOf(run)
      note({ stage: 'handed', topic, partition, ...span, atMs: handedMs })
      note({ stage: 'sealed', topic, partition, ...span, atMs })
    }
    return result
  }
}

/** The offsets of a run, which follow one another. */
function spanOf(run: ReferenceRun): { readonly from: number; readonly to: number } {
  const value = runValues(run).next().value as string
  const from = (parseReferences(value)[0] as Reference).offset
  if (!isReferenceList(value)) return { from, to: from + run.count }
  const listed = [...runValues(run)].map((text) => parseReferences(text).length)
  return { from, to: from + listed.reduce((sum, count) => sum + count, 0) }
}

function watchDurability(note: (sighting: Sighting) => void): void {
  const { finish } = SegmentGroup.prototype
  SegmentGroup.prototype.finish = async function () {
    const sealed = await finish.call(this)
    const atMs = monotonicMs()
    for (const { topic, partition, nextOffset } of sealed.progress) {
      note({ stage: 'durable', topic, partition, to: nextOffset, atMs })
    }
    return sealed
  }
}

const path = process.env.BENCH_PROBE_FILE
if (isMainThread && path !== undefined) install(path)
