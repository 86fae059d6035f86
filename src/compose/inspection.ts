import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { selectEngine } from '../crypto/cipher-engine.ts'
import { DekCache } from '../keys/dek-cache.ts'
import { inspectSegment, type SegmentInspection } from '../reader/segment-inspection.ts'
import { verifySegment } from '../reader/segment-verification.ts'
import { keyDirectoryOf } from './key-directory.ts'
import { openKms, READER_TRIES_MAX } from './kms.ts'
import { allowedKekIdsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** One key is enough: one segment is looked at. */
const KEY_CACHE = { entriesMax: 1, ttlMs: 60_000 }

/** Looks at segments in the bucket of a configuration. */
export interface SegmentInspector {
  /** Without any key; the KMS is not asked. See {@link inspectSegment}. */
  inspect(object: string): Promise<SegmentInspection>
  /** With the keys of the configuration; returns the number of frames. See {@link verifySegment}. */
  verify(inspection: SegmentInspection, onFrames: (count: number) => void): Promise<number>
}

/** Runs `work` with an inspector, and drops its keys and connections whatever comes of it. */
export async function withInspector<T>(
  config: Config,
  work: (inspector: SegmentInspector) => Promise<T>,
): Promise<T> {
  const objects = new S3ObjectReader(s3OptionsOf(config))
  const kms = openKms(kmsChoiceOf(config), { triesMax: READER_TRIES_MAX })
  const directory = keyDirectoryOf(objects, config.s3)
  const allowedKekIds = allowedKekIdsOf(config)
  const keys = new DekCache({ kms, directory }, systemClock, { ...KEY_CACHE, allowedKekIds })
  try {
    return await work({
      inspect: (object) => inspectSegment(objects, object),
      verify: async (inspection, onFrames) => {
        const { engine } = await selectEngine(config.cipher.engine)
        return verifySegment(inspection, { objects, keys, engine, onFrames })
      },
    })
  } finally {
    keys.close()
    await Promise.all([objects.close(), kms.close()])
  }
}
