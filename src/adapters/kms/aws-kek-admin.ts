import { DisableKeyCommand, KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import { messageOf, SealError } from '../../errors.ts'
import type { KekAdmin, KekEnd } from '../../keys/kek-admin.ts'
import type { AwsKmsOptions } from './aws-kms.ts'

/** Switches off KEKs in AWS KMS: `kms:DisableKey`, which nothing else of sealstream needs. */
export class AwsKekAdmin implements KekAdmin {
  readonly #options: AwsKmsOptions

  constructor(options: AwsKmsOptions) {
    this.#options = options
  }

  async end(kekId: string, kekVersion: string | null): Promise<KekEnd> {
    if (kekVersion !== null) {
      const message =
        'AWS KMS switches off keys, not versions of one; leave the whole KEK, or do without --disable-in-kms'
      throw new SealError('SEAL_KMS_REFUSED', message)
    }
    const client = new KMSClient(this.#config())
    try {
      await client.send(new DisableKeyCommand({ KeyId: kekId }))
    } catch (error) {
      throw failure(error, kekId)
    } finally {
      client.destroy()
    }
    const remains = [
      `when nothing has missed it for some weeks: aws kms schedule-key-deletion --key-id ${kekId} --pending-window-in-days 30`,
    ]
    return { kind: 'disabled', remains }
  }

  #config(): KMSClientConfig {
    const { region, endpoint, accessKeyId, secretAccessKey } = this.#options
    const hasKeys = accessKeyId !== undefined && secretAccessKey !== undefined
    return {
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(hasKeys ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    }
  }
}

function failure(error: unknown, kekId: string): SealError {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode ?? 0
  const doing = `disabling ${kekId} (${name ?? messageOf(error)})`
  if (name === 'NotFoundException') {
    return new SealError('SEAL_KEK_DESTROYED', `AWS KMS knows no such key: ${doing}`)
  }
  if (name === 'AccessDeniedException') {
    return new SealError('SEAL_KMS_DENIED', `AWS KMS refuses ${doing}: grant kms:DisableKey`)
  }
  if (status >= 400 && status < 500 && name !== 'ThrottlingException') {
    return new SealError('SEAL_KMS_REFUSED', `AWS KMS refuses ${doing}`)
  }
  const message = `AWS KMS does not answer: ${doing}`
  return new SealError('SEAL_KMS_UNAVAILABLE', message, { retryable: true })
}
