import type { Config } from '../config/schema.ts'
import type { KekAdmin } from '../keys/kek-admin.ts'
import { kmsChoiceOf } from './service-options.ts'

/** What can switch KEKs off here; null where a person has to. */
export async function openKekAdmin(config: Config): Promise<KekAdmin | null> {
  const choice = kmsChoiceOf(config)
  if (choice.provider === 'aws') {
    const { AwsKekAdmin } = await import('../adapters/kms/aws-kek-admin.ts')
    return new AwsKekAdmin(choice)
  }
  if (choice.provider === 'local') {
    const { LocalKekAdmin } = await import('../adapters/kms/local-kek-admin.ts')
    return new LocalKekAdmin(choice)
  }
  return null
}

/** What a person does in the KMS of a configuration to end a KEK, or a version of it. */
export function kekEndByHand(
  { kms }: Config,
  { kekId, kekVersion }: { readonly kekId: string; readonly kekVersion: string | null },
): readonly string[] {
  const later = 'some weeks later, when nothing has missed it:'
  const version = kekVersion ?? 'VERSION'
  const bare = kekId.slice(kekId.lastIndexOf('/') + 1)
  switch (kms.provider) {
    case 'aws':
      return kekVersion === null
        ? [
            `now: aws kms disable-key --key-id ${kekId}`,
            `${later} aws kms schedule-key-deletion --key-id ${kekId} --pending-window-in-days 30`,
          ]
        : [
            'AWS KMS keeps every version of a key as long as the key: to be rid of one, leave the whole KEK (declare without --kek-version)',
          ]
    case 'vault':
      return kekVersion === null
        ? [
            'now: take transit/decrypt and transit/datakey on it out of every policy',
            `${later} vault write transit/keys/${bare}/config deletion_allowed=true && vault delete transit/keys/${bare}`,
          ]
        : [
            `now: vault write transit/keys/${bare}/config min_decryption_version=<the version after ${version}>`,
            `${later} vault write transit/keys/${bare}/trim min_available_version=<the same>`,
          ]
    case 'gcp':
      return [
        `now: gcloud kms keys versions disable ${version} --key ${kekId}`,
        `${later} gcloud kms keys versions destroy ${version} --key ${kekId}`,
      ]
    case 'azure':
      return [
        `now: az keyvault key set-attributes --id ${kekId} --enabled false`,
        `${later} az keyvault key delete --id ${kekId}`,
      ]
    case 'pkcs11':
      return [`now: take ${kekId} away from every token (pkcs11-tool --delete-object), backups too`]
    case 'local':
      return [`now: take ${bare} out of the key file, and delete its backups`]
  }
}
