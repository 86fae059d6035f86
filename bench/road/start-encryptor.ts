import { join } from 'node:path'
import { EncryptorProcess } from '../../examples/demo/encryptor.ts'
import { freePort } from '../../examples/demo/encryptor-config.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type RoadSettings, roadConfig, writeRoadConfig } from './road-config.ts'

/**
 * An encryptor as users run it, over topics that exist. It ends with the benchmark at the latest. `name` is
 * that of its group; several in one group have `own` names.
 */
export async function startEncryptor(
  stack: BenchStack,
  name: string,
  topics: readonly string[],
  settings: RoadSettings,
  nodeFlags: readonly string[],
  own = name,
): Promise<EncryptorProcess> {
  const folder = join(stack.directory, 'encryptor')
  const configPath = join(folder, `${own}.yaml`)
  const httpPort = await freePort()
  writeRoadConfig(configPath, roadConfig(stack, { name, topics, httpPort }, settings))
  const encryptor = new EncryptorProcess({ name: own, folder, configPath, httpPort, nodeFlags })
  stack.defer(() => encryptor.stop())
  return encryptor
}
