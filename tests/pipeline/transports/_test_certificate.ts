/**
 * A certificate for `localhost` and 127.0.0.1, signed by itself, for tests
 * only: its key is public. Valid for 100 years; made with
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
 * -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 *
 * @module
 */

export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUQcMRfWM1skxUYkKKlu+kz370+f4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDIzNTk0NFoYDzIxMjYxMDMx
MjM1OTQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASt66ZiZstBoB49hvwNfIwJ5kDr2E1CI5CrBBx87Bcxf1RBNPO+fuze
ZU9/ON+RS7LW4a195sqyMoi6CnDtpfmDo28wbTAdBgNVHQ4EFgQUJBpvKJ9MWUlo
YvU21dQEzfKZEmQwHwYDVR0jBBgwFoAUJBpvKJ9MWUloYvU21dQEzfKZEmQwGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIhAIblythnwQd60euIJaxXDAK0n/b9BWYi3qztfbwXhJPkAiAq
ezZVAPgbIYSx5wC4UABu//nkXhdPYyICWyLP/uAnfA==
-----END CERTIFICATE-----
`;

export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXBWLh15t6mq3qdiI
vCqe+MBr7wg+gp9LHwXqEQEazkahRANCAASt66ZiZstBoB49hvwNfIwJ5kDr2E1C
I5CrBBx87Bcxf1RBNPO+fuzeZU9/ON+RS7LW4a195sqyMoi6CnDtpfmD
-----END PRIVATE KEY-----
`;
