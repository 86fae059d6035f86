import { describe, expect, inject, it } from 'vitest'
import { AwsKms, type AwsKmsOptions } from '../../src/adapters/kms/aws-kms.ts'
import { kmsContract } from '../contracts/kms.contract.ts'

const { keyId, ...place } = inject('stack').kms
const newKms = (over: Partial<AwsKmsOptions> = {}) =>
  new AwsKms({ ...place, requestTimeoutMs: 10_000, ...over })

kmsContract('AWS KMS', () => ({ kms: newKms(), kekId: keyId }))

describe('AwsKms', () => {
  it('says that a KMS is away, and that a later try may succeed', async () => {
    // Port 9 is discard: nothing listens there.
    const kms = newKms({ endpoint: 'http://127.0.0.1:9' })
    await expect(kms.generateDataKey(keyId, {})).rejects.toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('http://127.0.0.1:9'),
    })
    await kms.close()
  })
})
