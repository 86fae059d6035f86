import { workerData } from 'node:worker_threads'
import { yieldThread } from '../src/adapters/host/thread-priority.ts'
import {
  type ResealMessage,
  type ResealWorkerData,
  resealTaskOf,
} from '../src/adapters/piscina/reseal-pool.ts'
import { S3ObjectReader } from '../src/adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../src/adapters/s3/s3-object-store.ts'
import { type EngineChoice, selectEngine } from '../src/crypto/cipher-engine.ts'
import { armFailpoint, withFailpoints } from '../src/failpoints.ts'
import { resealRange } from '../src/reencryption/reseal-range.ts'
import type { ResealResult } from '../src/reencryption/reseal-task.ts'

/** The composition root of one worker thread: connections of its own, kept for all its ranges. */
const { s3, cipherEngine, yields } = workerData as ResealWorkerData
if (yields) yieldThread()
armFailpoint(process.env)
const objects = new S3ObjectReader(s3)
const store = withFailpoints(new S3ObjectStore(s3), {
  put: 'reseal-put',
  uploadPart: 'reseal-part',
})
let selected: Promise<EngineChoice> | null = null

/** The Piscina task: seals one range anew. */
export default async function reseal(message: ResealMessage): Promise<ResealResult> {
  selected ??= selectEngine(cipherEngine)
  const { engine } = await selected
  return resealRange(resealTaskOf(message), { engine, objects, store })
}
