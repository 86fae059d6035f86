import { CassandraMappingWriter } from '../../src/adapters/cassandra/mapping-writer.ts'
import { KafkaReferenceSink } from '../../src/adapters/kafka/kafka-reference-sink.ts'
import { PartPool } from '../../src/adapters/piscina/part-pool.ts'
import { S3ObjectStore } from '../../src/adapters/s3/s3-object-store.ts'
import { LaneSession } from '../../src/pipeline/lane-session.ts'
import { TelemetryObserver } from '../../src/telemetry/telemetry-observer.ts'
import { STAGES, type StageName } from './stage-names.ts'

/**
 * Loaded before the program (`node --import`), in every thread: everything behind the stage that the
 * environment names answers at once and does nothing. The rest is the program as it is.
 */
function install(last: StageName): void {
  const isNull = (stage: StageName) => STAGES.indexOf(stage) > STAGES.indexOf(last)
  if (isNull('publish')) publishNothing()
  if (isNull('map')) mapNothing()
  if (isNull('store')) storeNothing()
  if (isNull('seal')) sealNothing()
  if (isNull('pack')) packNothing()
}

const done = async () => {}

function publishNothing(): void {
  KafkaReferenceSink.prototype.openLane = async () => ({ publish: done, close: done })
}

function mapNothing(): void {
  const { prototype } = CassandraMappingWriter
  prototype.recordIntent = done
  prototype.recordPlaces = done
  prototype.writeRows = done
  prototype.recordMessageIds = done
  prototype.recordTotals = done
  prototype.recordSealed = done
  prototype.recordPublished = done
}

/** Of segments alone: the key directory goes on to be written. */
function storeNothing(): void {
  const { prototype } = S3ObjectStore
  const { put } = prototype
  prototype.put = async function (key, ...rest) {
    if (!key.endsWith('.seal')) await put.call(this, key, ...rest)
  }
  prototype.createUpload = async () => 'none'
  prototype.uploadPart = async (_key, _uploadId, partNumber) => {
    return { partNumber, etag: '', checksum: '' }
  }
  prototype.completeUpload = done
  prototype.abortUpload = done
}

function sealNothing(): void {
  PartPool.prototype.run = async ({ buffer }) => ({
    ok: true,
    receipt: null,
    references: [],
    timings: { sealMs: 0, uploadMs: 0, mapMs: 0 },
    buffer,
  })
}

/** Messages are made and counted, so that whoever watches sees how far it is. */
function packNothing(): void {
  let observer: TelemetryObserver | null = null
  const { assigned } = TelemetryObserver.prototype
  TelemetryObserver.prototype.assigned = function (...args) {
    observer = this
    assigned.apply(this, args)
  }
  LaneSession.prototype.accept = async ({ topic, messages }) => {
    let count = 0
    for (const _message of messages) count++
    observer?.packed(topic, count, 0)
    observer?.published(count, 0, 0, 0)
    return true
  }
}

const last = STAGES.find((stage) => stage === process.env.BENCH_STAGE)
if (last !== undefined) install(last)
