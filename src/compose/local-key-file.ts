import { changeKeyFile, type LocalKeyState } from '../adapters/kms/local-key-writer.ts'
import { systemClock } from '../clock.ts'

/**
 * Makes or rotates a key of a local key file, which it creates where there is none. Throws
 * SEAL_INPUT_INVALID, SEAL_KEY_UNKNOWN, SEAL_OUTPUT_FAILED, and SEAL_KMS_* for a file that is none.
 */
export function changeLocalKey(
  path: string,
  name: string,
  rotate: boolean,
): Promise<LocalKeyState> {
  return changeKeyFile({ path, name, rotate, nowMs: systemClock.nowMs() })
}
