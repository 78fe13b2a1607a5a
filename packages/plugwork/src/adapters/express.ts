export { expressHandler, type AdapterOptions, type Mountable } from '@plugwork/sdk/express'
