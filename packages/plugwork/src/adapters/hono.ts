export { honoHandler, type AdapterOptions, type Mountable } from '@plugwork/sdk/hono'
