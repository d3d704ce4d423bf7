#!/bin/sh
# Creates the secrets of compose.yaml in secrets/, or in the folder of the first argument: passwords,
# the secret that signs tokens, and certificates of a private CA. Existing files keep their content;
# the modes of the folder and of its files are set again. Needs OpenSSL 3.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
cd "$folder"
# Before the first secret is written. A folder or file of another user could be changed by that user
# later.
if [ -n "$(find . ! -user "$(id -u)")" ]; then
  echo "$folder, or a file in it, belongs to another user; nothing was made." >&2
  exit 1
fi
chmod 700 .

for name in postgres_password owner_password gateway_password; do
  [ -s $name ] || openssl rand -hex 24 >$name
done
[ -s jwt_secret ] || openssl rand -base64 48 >jwt_secret
# PgBouncer authenticates to the server with the gateway's password.
echo "\"lablink_gateway\" \"$(cat gateway_password)\"" >userlist.txt

key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825'
[ -s ca.crt ] || openssl req -x509 $key -subj '/CN=LabLink CA' -keyout ca.key -out ca.crt 2>/dev/null
for name in postgres pgbouncer web; do
  [ -s $name.crt ] || openssl req -x509 $key -CA ca.crt -CAkey ca.key -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
    -addext basicConstraints=critical,CA:FALSE -keyout $name.key -out $name.crt 2>/dev/null
done

# Containers read the files under other user ids; the folder (0700) protects them on this machine.
# A link is left alone, because chmod would change its target.
find . -type f -exec chmod 644 {} +
chmod 600 ca.key
