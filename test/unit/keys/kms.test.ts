import { kmsContract } from '../../contracts/kms.contract.ts'
import { FakeKms } from '../../support/fake-kms.ts'

const KEK_ID = '5ea15eed-0000-4000-8000-00000000000a'
const OTHER_KEK_ID = '5ea15eed-0000-4000-8000-00000000000b'

kmsContract('the fake', () => {
  const kms = new FakeKms(KEK_ID, OTHER_KEK_ID)
  return {
    kms,
    kekId: KEK_ID,
    otherKekId: OTHER_KEK_ID,
    fullName: /^arn:.*:key\//,
    unknownKekId: '5ea15eed-0000-4000-8000-0000000000ff',
    rotate: async () => kms.rotate(KEK_ID),
    tellsVersion: true,
    disable: async (kekId) => kms.disable(kekId),
    denied: null,
    away: null,
  }
})
