output "rds_endpoint" {
  description = "Host and port."
  value       = aws_db_instance.lablink.endpoint
}

output "owner_secret_arn" {
  description = "The owner's password in Secrets Manager: {\"username\", \"password\"}. For migrations, not for the gateway."
  value       = aws_db_instance.lablink.master_user_secret[0].secret_arn
}

output "gateway_database_url" {
  description = "DATABASE_URL of a gateway, without its password (PGPASSWORD_FILE)."
  value       = "postgresql://lablink_gateway@${aws_db_instance.lablink.endpoint}/lablink_db?sslmode=verify-full&sslrootcert=/etc/lablink/rds-ca.pem"
}
