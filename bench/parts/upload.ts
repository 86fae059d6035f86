import { randomBytes, randomUUID } from 'node:crypto'
import { S3ObjectStore } from '../../src/adapters/s3/s3-object-store.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type ServiceCost, serviceCost } from './service-cost.ts'

const MIB = 1024 * 1024
const PART_MIB = 8
const PARTS = 8
const OBJECTS = 2
const SMALL_BYTES = 64 * 1024
const SMALL_OBJECTS = 100

/** What uploading costs: a mebibyte of segments of eight parts, and one small object. */
export interface UploadCosts {
  readonly mebibyte: ServiceCost
  readonly smallObject: ServiceCost
}

/** Uploads as the road does: parts of 8 MiB, and whole objects of 64 KiB. */
export async function upload(stack: BenchStack, repeats: number): Promise<UploadCosts> {
  const store = new S3ObjectStore({ ...stack.s3, forcePathStyle: true, requestTimeoutMs: 30_000 })
  const part = randomBytes(PART_MIB * MIB)
  const small = randomBytes(SMALL_BYTES)
  try {
    const mebibyte = await serviceCost(stack, ['s3'], repeats, async () => {
      for (let i = 0; i < OBJECTS; i++) await uploadParts(store, part)
      return OBJECTS * PARTS * PART_MIB
    })
    const smallObject = await serviceCost(stack, ['s3'], repeats, async () => {
      for (let i = 0; i < SMALL_OBJECTS; i++) {
        await store.put(`upload/${randomUUID()}.seal`, small, { token: randomUUID() })
      }
      return SMALL_OBJECTS
    })
    return { mebibyte, smallObject }
  } finally {
    await store.close()
  }
}

async function uploadParts(store: S3ObjectStore, part: Buffer): Promise<void> {
  const key = `upload/${randomUUID()}.seal`
  const metadata = { token: randomUUID() }
  const uploadId = await store.createUpload(key, metadata)
  const numbers = Array.from({ length: PARTS }, (_, i) => i + 1)
  const receipts = await Promise.all(
    numbers.map((number) => store.uploadPart(key, uploadId, number, part)),
  )
  await store.completeUpload(key, uploadId, receipts, { bytes: PARTS * part.length, metadata })
}
