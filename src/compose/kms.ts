import type { AwsKmsOptions } from '../adapters/kms/aws-kms.ts'
import type { AzureKmsOptions } from '../adapters/kms/azure-options.ts'
import type { GcpKmsOptions } from '../adapters/kms/gcp-kms.ts'
import type { LocalKmsOptions } from '../adapters/kms/local-kms.ts'
import type { Pkcs11Options } from '../adapters/kms/pkcs11/calls.ts'
import type { VaultKmsOptions } from '../adapters/kms/vault-client.ts'
import type { Kms } from '../keys/kms.ts'
import { lazyKms } from '../keys/lazy-kms.ts'
import { type KmsCallListener, observedKms } from '../keys/observed-kms.ts'
import { resilientKms } from '../keys/resilient-kms.ts'
import { loadOptional } from './optional-packages.ts'

/** A provider and how it is reached. */
export type KmsChoice =
  | ({ readonly provider: 'aws' } & AwsKmsOptions)
  | ({ readonly provider: 'vault' } & VaultKmsOptions)
  | ({ readonly provider: 'gcp' } & GcpKmsOptions)
  | ({ readonly provider: 'azure' } & AzureKmsOptions)
  | ({ readonly provider: 'pkcs11'; readonly requestTimeoutMs: number } & Pkcs11Options)
  | ({ readonly provider: 'local'; readonly requestTimeoutMs: number } & LocalKmsOptions)

/** Tries of a reader, within some seconds: a person or a consumer waits for the answer. */
export const READER_TRIES_MAX = 4

/** How a KMS is used. */
export interface KmsUse {
  /** Tries of one call, the first included. The road asks for one: it has patience of its own. */
  readonly triesMax: number
  /** Hears of every try. */
  readonly onCall?: KmsCallListener
}

/**
 * The KMS of a choice with everything around it: tries, circuit breaker, counting, time limit. The
 * adapter and its SDK are loaded with the first call, so that nobody pays for the other providers.
 */
export function openKms(choice: KmsChoice, { triesMax, onCall }: KmsUse): Kms {
  const provider = lazyKms(() => loadProvider(choice))
  const observed = onCall === undefined ? provider : observedKms(provider, onCall)
  return resilientKms(observed, { triesMax, timeoutMs: choice.requestTimeoutMs })
}

async function loadProvider(choice: KmsChoice): Promise<Kms> {
  switch (choice.provider) {
    case 'aws': {
      const { AwsKms } = await import('../adapters/kms/aws-kms.ts')
      return new AwsKms(choice)
    }
    case 'vault': {
      const { VaultKms } = await import('../adapters/kms/vault-kms.ts')
      return new VaultKms(choice)
    }
    case 'gcp': {
      const { GcpKms } = await loadOptional('gcp', () => import('../adapters/kms/gcp-kms.ts'))
      return GcpKms.open(choice)
    }
    case 'azure': {
      const { AzureKms } = await loadOptional('azure', () => import('../adapters/kms/azure-kms.ts'))
      return new AzureKms(choice)
    }
    case 'pkcs11': {
      const { Pkcs11Kms } = await loadOptional(
        'pkcs11',
        () => import('../adapters/kms/pkcs11-kms.ts'),
      )
      return new Pkcs11Kms(choice)
    }
    case 'local': {
      const { LocalKms } = await import('../adapters/kms/local-kms.ts')
      return new LocalKms(choice)
    }
  }
}
