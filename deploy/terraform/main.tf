resource "aws_db_instance" "lablink" {
  identifier     = "lablink-db-${var.environment}"
  engine         = "postgres"
  engine_version = "17"
  # RDS installs security fixes in the maintenance window; a new major version needs a change here.
  auto_minor_version_upgrade = true
  instance_class             = var.instance_class

  db_name  = "lablink_db"
  username = "lablink"
  # RDS creates the password, stores it in Secrets Manager and rotates it, so it is in no file and
  # not in Terraform's state.
  manage_master_user_password = true

  allocated_storage     = var.allocated_storage
  max_allocated_storage = 5 * var.allocated_storage
  storage_type          = "gp3"
  storage_encrypted     = true

  db_subnet_group_name   = aws_db_subnet_group.lablink.name
  vpc_security_group_ids = [aws_security_group.rds.id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  parameter_group_name   = aws_db_parameter_group.lablink.name
  # The CA of the server's certificate; the gateway's sslrootcert is its bundle.
  ca_cert_identifier = "rds-ca-rsa2048-g1"

  # RDS can restore any moment of the last seven days. Use `db backup` too, whose files work
  # elsewhere.
  backup_retention_period   = 7
  backup_window             = "03:00-04:00"
  maintenance_window        = "mon:04:00-mon:05:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "lablink-final-${var.environment}"

  # Log connections, rejected connections and slow queries.
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true

  tags = {
    Name = "lablink-db-${var.environment}"
  }
}

resource "aws_db_parameter_group" "lablink" {
  name_prefix = "lablink-${var.environment}-"
  family      = "postgres17"

  # Refuse connections without TLS.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_connections"
    value = "1"
  }
  parameter {
    name  = "log_disconnections"
    value = "1"
  }
  # In milliseconds.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  # Values stay out of the log: the command of an assignment is such a value.
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }
  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }
  # The server notices within a minute that a listener's machine has vanished.
  parameter {
    name  = "tcp_keepalives_idle"
    value = "30"
  }
  parameter {
    name  = "tcp_keepalives_interval"
    value = "10"
  }
  parameter {
    name  = "tcp_keepalives_count"
    value = "3"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_subnet_group" "lablink" {
  name       = "lablink-${var.environment}"
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "rds" {
  name_prefix = "lablink-rds-${var.environment}-"
  description = "PostgreSQL, from the gateways only"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "gateways" {
  security_group_id            = aws_security_group.rds.id
  referenced_security_group_id = var.gateway_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
