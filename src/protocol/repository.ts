// Where the source and the license are, for the documents that machines read.

export const REPOSITORY_URL = 'https://github.com/lablink/lablink-gateway';
export const LICENSE_URL = `${REPOSITORY_URL}/blob/main/LICENSE`;
